"""Makes the golden files of this folder from the full ones, without loss in what it keeps.

    python tests/data/golden/select_goldens.py ../shared/golden

Arrays that are multiples of 1/255 are stored as bytes (`NAME@255`), those that float16 holds
exactly as float16; a file of more than 1 MB is cut into parts.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
LARGEST = 950_000  # bytes of a file

# File -> parts of the names that are left out: single layers, and images that others repeat.
LEFT_OUT = {
    "clockwork_vae": ("/layers/decoder/", "/prior_onestep", "/posterior_recon"),
    "fmrgan_discriminators": ("/debug/",),
    "fmrgan_generator": ("/debug/", "/w", "/lff_", "/ff_", "/motion_style"),
    "frame_metrics": (),
    "open_loop_metrics": (),
    "frequency_losses": (),
    "diffaugment": (),
    "frechet": (),
    "toy_videos": (),
}
FRAMES = 5  # of every video in open_loop_metrics, whose values are one a frame
VIDEOS = 2  # of the four in diffaugment, which are augmented one by one


def packed(name: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """The array in fewer bytes where that loses nothing."""
    if array.dtype == np.float32 and array.size > 1000:
        levels = np.round(array * 255)
        in_range = levels.min() >= 0 and levels.max() <= 255
        if in_range and np.array_equal(levels.astype(np.float32) / np.float32(255), array):
            return f"{name}@255", levels.astype(np.uint8)
        if np.array_equal(array.astype(np.float16).astype(np.float32), array):
            return name, array.astype(np.float16)
    return name, array


def shortened(file: str, name: str, array: np.ndarray) -> np.ndarray:
    if file == "open_loop_metrics" and array.ndim > 1:
        return array[:, :FRAMES]
    if file == "diffaugment" and "/video" in name:
        return array[:VIDEOS]
    if file == "fmrgan_generator" and name.endswith("/video"):
        return array[:1]  # the inputs are those of both
    return array


def compressed(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def write(file: str, arrays: dict[str, np.ndarray]) -> None:
    whole = compressed(arrays)
    if len(whole) <= LARGEST:
        (HERE / f"{file}.npz").write_bytes(whole)
        return
    parts: list[dict[str, np.ndarray]] = [{}]
    size = 0
    for name, array in arrays.items():
        needed = len(compressed({name: array}))
        if parts[-1] and size + needed > LARGEST:
            parts.append({})
            size = 0
        parts[-1][name] = array
        size += needed
    for number, part in enumerate(parts, start=1):
        (HERE / f"{file}.part{number}.npz").write_bytes(compressed(part))


def main(source: Path) -> None:
    (HERE / "seeded").mkdir(exist_ok=True)
    for path in sorted((source / "seeded").glob("*.npz")):
        shutil.copyfile(path, HERE / "seeded" / path.name)
    for file, left_out in LEFT_OUT.items():
        arrays = {}
        with np.load(source / f"{file}.npz", allow_pickle=False) as stored:
            for name in stored.files:
                kept = name.startswith("weights/") or not any(part in name for part in left_out)
                if kept:
                    short_name, array = packed(name, shortened(file, name, stored[name]))
                    arrays[short_name] = array
        write(file, arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
