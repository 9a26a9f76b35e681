"""Benchmarks the input pipeline alone: decoding, reading, and memory as the data set grows.

    python bench/input_pipeline.py [--step-seconds 1.26] [--only decode read memory]

Decoding: a clip of 320x240 (H.264, RGB) by `read_video`, to 64x64 and kept as large as it is,
and `prepare` of 40 of them with one worker and with all.
Reading: batches of 4 windows of 100 frames, of Moving MNIST generated from digits, of decoded clips
in the cache, and of prepared records. The last column is the speed of reading over that of the
hierarchical model's train step (batch 4 of 100 frames at the paper's sizes; bench/hierarchical.py
measures it, --step-seconds gives it).
Memory: prepared records of 20 and of 2000 clips; the peak of the process after the same number of
batches, and of what it takes to open the set.
Everything is made in a temporary folder: 1.3 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from originals import peak_gib, row_of

from hvp.timing.clock import median_seconds

BATCH, FRAMES = 4, 100
CLIPS, CLIP_FRAMES, HEIGHT, WIDTH, SIZE = 40, 200, 240, 320, 64
BATCHES = 20
FEW, MANY = 20, 2000
ALL = os.cpu_count()


def measure(case: str, folder: str, repeats: int) -> dict[str, float]:
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    kind, _, what = case.partition(": ")
    return {"decode": decode, "read": read, "memory": memory}[kind](what, Path(folder), repeats)


def decode(what: str, folder: Path, repeats: int) -> dict[str, float]:
    """Seconds per frame."""
    from hvp.data.video_io import read_video

    if what.startswith("read_video"):
        write_clips(folder / "videos/train", 1)
        size = (None, None) if "large" in what else (SIZE, SIZE)
        clip = folder / "videos/train/0.mp4"
        seconds = median_seconds(lambda: read_video(clip, *size), repeats)
        return {"seconds": seconds / CLIP_FRAMES, "gib": peak_gib()}
    write_clips(folder / "videos/train", CLIPS)
    start = time.perf_counter()
    workers = int(what.split()[1])
    prepare(folder / "videos", folder / "out", workers)
    return {"seconds": (time.perf_counter() - start) / CLIPS / CLIP_FRAMES, "gib": peak_gib()}


def prepare(source: Path, out: Path, workers: int) -> None:
    from hvp.data.find_clips import find_clips
    from hvp.data.prepare import prepare as prepare_clips
    from hvp.data.prepared_folder import Options
    from hvp.data.sources import data_set

    clips, _ = find_clips(data_set("folder"), [source], out)
    prepare_clips("folder", clips, out, Options(SIZE, SIZE, 3), [str(source)], workers)


def read(what: str, folder: Path, repeats: int) -> dict[str, float]:
    """Seconds per batch."""
    from hvp.config import DataConfig
    from hvp.data.video_split import VideoSplit

    config = DataConfig(seq_len=FRAMES)
    if what != "generated digits":
        videos = folder / "videos"
        write_clips(videos / "train", CLIPS)
        if what == "prepared records":
            prepare(videos, folder / "out", ALL)
            videos = folder / "out"
        config = DataConfig(
            dataset="folder",
            datadir=str(videos),
            channels=3,
            seq_len=FRAMES,
            cache_dir=str(folder / "cache"),
        )
    batches = iter(VideoSplit(config, "train").training_batches(BATCH))

    def run() -> None:
        for _ in range(BATCHES):
            next(batches)

    return {"seconds": median_seconds(run, repeats) / BATCHES, "gib": peak_gib()}


def memory(what: str, folder: Path, repeats: int) -> dict[str, float]:
    """Peak memory with records of `what` clips, which another process has written."""
    from hvp.config import DataConfig
    from hvp.data.video_split import VideoSplit

    if what.endswith("written"):
        write_records(folder, int(what.split()[0]))
        return {}
    config = DataConfig(
        dataset="prepared", datadir=str(folder), height=SIZE, width=SIZE, channels=3, seq_len=FRAMES
    )
    before = peak_gib()
    start = time.perf_counter()
    split = VideoSplit(config, "train")
    opened = time.perf_counter() - start
    batches = iter(split.training_batches(BATCH))
    for _ in range(10 * BATCHES):  # 800 windows: of the large set, most clips
        next(batches)
    size = sum(path.stat().st_size for path in folder.glob("*.tfrecord")) / 2**30
    return {"opened": opened, "before": before, "gib": peak_gib(), "size": size}


def write_clips(folder: Path, count: int) -> None:
    import numpy as np

    from hvp.data.video_io import write_mp4

    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for i in range(count):
        noise = random.integers(256, size=(CLIP_FRAMES, HEIGHT // 40, WIDTH // 40, 3))
        noise = noise.astype(np.uint8).repeat(40, axis=1).repeat(40, axis=2)
        write_mp4(folder / f"{i}.mp4", noise, quality=23)


def write_records(folder: Path, count: int) -> None:
    import dataclasses

    import numpy as np

    from hvp.data.prepared_folder import FORMAT, INFO, Options, write_json
    from hvp.data.records import write_shard

    random = np.random.default_rng(0)
    clips = random.integers(256, size=(FEW, CLIP_FRAMES // 4, SIZE, SIZE, 3), dtype=np.uint8)
    clips = clips.repeat(2, axis=1)  # 100 frames

    def shard(first: int) -> dict:
        names = ((f"{i}", clips[i % FEW]) for i in range(first, first + FEW))
        return dataclasses.asdict(write_shard(folder / f"train-{first:05}.tfrecord", names))

    splits = {"train": [shard(first) for first in range(0, count, FEW)]}
    options = dataclasses.asdict(Options(SIZE, SIZE, 3))
    info = {"format": FORMAT, "dataset": "folder", "options": options, "splits": splits}
    write_json(folder / INFO, info)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step-seconds", type=float, default=1.26, help="train step of batch 4")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", nargs="+", default=["decode", "read", "memory"])
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(**json.loads(arguments.case))))
        return

    def run(case: str, folder: str) -> dict[str, float]:
        return row_of(__file__, {"case": case, "folder": folder, "repeats": arguments.repeats})

    if "decode" in arguments.only:
        print("decoding of 320x240                frames/s   GiB")
        ways = ["read_video", "read_video, kept as large", "prepare, 1 worker"]
        for what in [*ways, f"prepare, {ALL} workers"]:
            with tempfile.TemporaryDirectory() as folder:
                row = run(f"decode: {what}", folder)
            print(f"{what:32} {1 / row['seconds']:10.0f} {row['gib']:5.2f}", flush=True)
    if "read" in arguments.only:
        print("reading                 frames/s    ms/batch   GiB   times the train step's speed")
        for what in ("generated digits", "cached clips", "prepared records"):
            with tempfile.TemporaryDirectory() as folder:
                row = run(f"read: {what}", folder)
            print(
                f"{what:20} {BATCH * FRAMES / row['seconds']:11.0f} {1000 * row['seconds']:11.2f} "
                f"{row['gib']:5.2f}   {arguments.step_seconds / row['seconds']:.0f}",
                flush=True,
            )
    if "memory" in arguments.only:
        print("memory: records   GiB on disk   s to open   GiB before   GiB after 200 batches")
        for count in (FEW, MANY):
            with tempfile.TemporaryDirectory() as folder:
                run(f"memory: {count} written", folder)
                row = run(f"memory: {count}", folder)
            print(
                f"{count:15} {row['size']:13.2f} {row['opened']:11.2f} {row['before']:12.2f} "
                f"{row['gib']:12.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
