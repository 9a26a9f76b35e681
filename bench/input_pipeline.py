"""Benchmarks the input pipeline alone: frames per second and memory.

    python bench/input_pipeline.py [--step-seconds 1.26]

Cases: Moving MNIST generated from digits, and decoded clips from the cache (40 clips of 200 frames,
RGB, that it writes itself). The last column is the share of the hierarchical model's train step
(batch 4 of 100 frames at the paper's sizes; bench/hierarchical.py measures it, --step-seconds gives
it) that loading the batch would take if nothing overlapped.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from timing import in_own_process, median_seconds, peak_gib

BATCH, FRAMES = 4, 100
CLIPS, CLIP_FRAMES, SIZE = 40, 200, 64
BATCHES = 20


def measure(case: str, folder: str, repeats: int) -> dict[str, float]:
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.config import DataConfig
    from hvp.data.dataset import VideoSplit

    config = DataConfig(seq_len=FRAMES)
    if case == "cached clips":
        write_clips(Path(folder) / "train")
        config = DataConfig(
            dataset="folder",
            datadir=folder,
            channels=3,
            seq_len=FRAMES,
            cache_dir=f"{folder}/cache",
        )
    batches = iter(VideoSplit(config, "train").training_batches(BATCH))

    def run() -> None:
        for _ in range(BATCHES):
            next(batches)

    seconds = median_seconds(run, repeats) / BATCHES
    return {"seconds": seconds, "gib": peak_gib()}


def write_clips(folder: Path) -> None:
    import numpy as np

    from hvp.data.video_io import write_mp4

    folder.mkdir()
    random = np.random.default_rng(0)
    for i in range(CLIPS):
        noise = random.integers(256, size=(CLIP_FRAMES, SIZE // 8, SIZE // 8, 3), dtype=np.uint8)
        write_mp4(folder / f"{i}.mp4", noise.repeat(8, axis=1).repeat(8, axis=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step-seconds", type=float, default=1.26, help="train step of batch 4")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(**json.loads(arguments.case))))
        return
    print("case               frames/s    ms/batch   GiB   share of the train step")
    for case in ("generated digits", "cached clips"):
        with tempfile.TemporaryDirectory() as folder:
            row = in_own_process(
                __file__, {"case": case, "folder": folder, "repeats": arguments.repeats}
            )
        print(
            f"{case:18} {BATCH * FRAMES / row['seconds']:8.0f} {1000 * row['seconds']:10.2f} "
            f"{row['gib']:6.2f}   {row['seconds'] / arguments.step_seconds:.1%}"
        )


if __name__ == "__main__":
    main()
