"""The published data sets as the shipped configurations meet them: lengths, and files like theirs.

`stand_ins.py` has the layouts in miniature; here are pictures and videos of the published sizes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from hvp.data.video_io import write_mp4


class Lengths(NamedTuple):
    """Frames of a data set's shortest and longest video, of either split."""

    shortest: int
    longest: int


class Published(NamedTuple):
    """A published data set.

    Attributes:
        train, test: lengths as its authors or its files state them, as far as known.
        build: makes videos in its layout in a folder; it gets `(folder, frames)`, the frames of all
            but one training and one test video, which are of the shortest length.
        prepared: whether `prepare` is how its configurations get it.
    """

    train: Lengths
    test: Lengths
    build: Callable[[Path, int], None]
    prepared: bool = True


def frames_of(count: int, height: int, width: int, seed: int) -> np.ndarray:
    """A bright square that moves over a ripple: uint8 `(count, height, width, 3)`."""
    y, x = np.mgrid[:height, :width]
    ripple = 90 + 40 * np.sin(x / 9 + seed) * np.cos(y / 7)
    video = np.repeat(np.uint8(ripple)[None, ..., None], 3, axis=-1)
    video = np.repeat(video, count, axis=0)
    side = max(4, height // 5)
    for t, frame in enumerate(video):
        left, top = (3 * t + 11 * seed) % (width - side), (2 * t + 5 * seed) % (height - side)
        frame[top : top + side, left : left + side] = (240, 210 - 20 * seed % 90, 60)
    return video


def files(size: tuple[int, int], names: Sequence[str], short: int) -> Callable[[Path, int], None]:
    """Builds videos; those whose name begins with `*` are the shortest that are published."""

    def build(folder: Path, frames: int) -> None:
        for number, name in enumerate(names):
            path = folder / name.removeprefix("*")
            path.parent.mkdir(parents=True, exist_ok=True)
            video = frames_of(short if name.startswith("*") else frames, *size, number)
            if path.suffix:
                write_mp4(path, video, 25, quality=5)
                continue
            path.mkdir()
            for place, frame in enumerate(video):
                Image.fromarray(frame).save(path / f"{place:05}.jpg")

    return build


def davis(folder: Path, frames: int) -> None:
    """Sequences at 480p with the masks of two objects, and the lists of 2017."""
    names = ("bear", "bus", "camel", "dog")
    files((480, 854), [f"JPEGImages/480p/{name}" for name in names], 25)(folder, frames)
    palette = [0, 0, 0, 128, 0, 0, 0, 128, 0]
    for name in names:
        masks = folder / "Annotations/480p" / name
        masks.mkdir(parents=True)
        labels = np.zeros((480, 854), np.uint8)
        labels[100:200, 100:200], labels[250:300, 400:500] = 1, 2
        picture = Image.fromarray(labels, mode="P")
        picture.putpalette(palette)
        for frame in range(frames):
            picture.save(masks / f"{frame:05}.png")
    lists = folder / "ImageSets/2017"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("bear\ncamel\ndog\n")
    (lists / "val.txt").write_text("bus\n")


def digits_and_test_array(folder: Path, frames: int) -> None:
    """MNIST's training digits, and `mnist_test_seq.npy`."""
    folder.mkdir(parents=True)
    digits = np.zeros((12, 28, 28), np.uint8)
    digits[:, 6:22, 10:18] = np.arange(100, 220, 10, dtype=np.uint8)[:, None, None]
    header = struct.pack(">4I", 2051, len(digits), 28, 28)
    (folder / "train-images-idx3-ubyte").write_bytes(header + digits.tobytes())
    videos = [frames_of(20, 64, 64, seed)[..., 0] for seed in range(3)]
    np.save(folder / "mnist_test_seq.npy", np.stack(videos, axis=1))


# Where the numbers are from: the docstrings of hvp/data/sources; KTH's of its 00sequences.txt,
# Human3.6M's and DAVIS' of their videos.
PUBLISHED = {
    "moving_mnist": Published(
        Lengths(100, 100),
        Lengths(1000, 1000),
        files((64, 64), [f"train-seq100/{i}.avi" for i in range(2)] + ["test-seq1000/0.avi"], 0),
    ),
    "digits": Published(
        Lengths(20, 20), Lengths(20, 20), digits_and_test_array, prepared=False
    ),
    "kth": Published(
        Lengths(204, 1492),
        Lengths(204, 1492),
        files(
            (120, 160),
            [
                "*boxing/person01_boxing_d1_uncomp.avi",
                "running/person02_running_d2_uncomp.avi",
                "walking/person14_walking_d1_uncomp.avi",
                "*boxing/person22_boxing_d1_uncomp.avi",
                "walking/person25_walking_d4_uncomp.avi",
            ],
            204,
        ),
    ),
    "mazes": Published(
        Lengths(300, 300),
        Lengths(300, 300),
        files((64, 64), ["train/1.mp4", "train/2.mp4", "test/1.mp4"], 0),
    ),
    "minerl": Published(
        Lengths(500, 500),
        Lengths(500, 500),
        files((64, 64), ["train/1.mp4", "train/2.mp4", "test/1.mp4"], 0),
    ),
    "human36m": Published(
        Lengths(992, 6343),
        Lengths(992, 6343),
        files(
            (250, 250),  # 1000x1000 as published; squeezed to 256x256 either way
            [f"S{s}/Videos/Walking.{camera}.mp4" for s in (1, 8, 9) for camera in (54138969,)],
            0,
        ),
    ),
    "sjtu4k": Published(
        Lengths(300, 300),
        Lengths(300, 300),
        files((270, 480), [f"{name}.mp4" for name in "abcde"], 0),  # 2160x3840 as published
    ),
    "ucf101": Published(
        Lengths(29, 1776),
        Lengths(29, 1776),
        files(
            (240, 320),
            [f"UCF-101/Bowling/v_Bowling_g{group:02}_c01.avi" for group in (1, 7, 8, 25)],
            29,
        ),
    ),
    "sky": Published(
        Lengths(2, 100),
        Lengths(2, 100),
        files(
            (360, 640),
            ["*sky_train/abc/abc_1", "sky_train/abc/abc_2", "sky_train/xyz/xyz_1",
             "sky_test/new/new_1"],
            2,
        ),
    ),
    "davis": Published(Lengths(25, 104), Lengths(34, 104), davis, prepared=False),
}  # fmt: skip
