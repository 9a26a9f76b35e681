"""Writes predictions: GIF, MP4, PNG and NPZ."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from hvp.data.video_io import write_gif, write_mp4
from hvp.errors import writing
from hvp.evaluation.figures import comparison_frames, save_grid
from hvp.evaluation.gallery import Picture

PICTURED_SAMPLES = 5  # beside each other; all of them are written one by one


def write_prediction(
    picture: Picture, context: int, folder: Path, formats: Iterable[str], fps: float
) -> None:
    """Writes one video's prediction into `folder`, which is made if need be.

    - `gif`, `mp4`: `comparison`, truth and samples side by side with the standard deviation over
      samples, and `sample_1`, `sample_2`, ...: predicted frames alone, in the model's size.
    - `png`: `comparison.png`, frames of the same at a few times.
    - `npz`: `prediction.npz` with `context`, `truth` (as far as the video goes on) and `samples`
      `(samples, horizon, height, width, channels)`, uint8, and, of several samples, `stddev`
      `(horizon, height, width)`, float32, in [0, 1].

    Raises:
        UserError: if the folder cannot be written to.
    """
    shown = Picture(picture.name, picture.truth, picture.samples[:PICTURED_SAMPLES], picture.stddev)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name in formats:
        if name == "npz":
            _write_arrays(picture, context, folder / "prediction.npz")
        elif name == "png":
            save_grid(shown, context, folder / "comparison.png")
        else:
            write = _WRITERS[name]
            frames = comparison_frames(shown, context, spread=picture.stddev is not None)
            write(folder / f"comparison.{name}", frames, fps)
            for number, sample in enumerate(picture.samples, 1):
                write(folder / f"sample_{number}.{name}", sample, fps)


def _write_arrays(picture: Picture, context: int, path: Path) -> None:
    arrays = {
        "context": picture.truth[:context],
        "truth": picture.truth[context:],
        "samples": picture.samples,
    }
    if picture.stddev is not None:
        arrays["stddev"] = picture.stddev.astype(np.float32)
    with writing(path):
        np.savez_compressed(path, **arrays)


def _write_gif(path: Path, frames: Iterable[np.ndarray], fps: float) -> None:
    write_gif(path, np.stack(list(frames)), fps)


def _write_even_mp4(path: Path, frames: Iterable[np.ndarray], fps: float) -> None:
    """MP4 takes even sizes only; a white line below or beside makes them so."""

    def even(frame: np.ndarray) -> np.ndarray:
        odd = [(0, size % 2) for size in frame.shape[:2]]
        return np.pad(frame, (*odd, (0, 0)), constant_values=255)

    write_mp4(path, map(even, frames), fps)


_WRITERS: dict[str, Callable[[Path, Iterable[np.ndarray], float], None]] = {
    "gif": _write_gif,
    "mp4": _write_even_mp4,
}
