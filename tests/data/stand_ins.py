"""Small stand-ins for the data sets, each in the layout in which its authors publish it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from PIL import Image

from hvp.__main__ import main
from hvp.data.video_io import write_mp4

FRAMES = 6


class StandIn(NamedTuple):
    """A data set's stand-in.

    Attributes:
        build: makes its files in a folder; `None` for data that are generated.
        train, test: names of its videos, in order.
        frames: of each video.
    """

    build: Callable[[Path], None] | None
    train: list[str]
    test: list[str]
    frames: int = FRAMES


def video(path: Path, level: int = 100, frames: int = FRAMES) -> None:
    """A video file, or without a suffix a folder of frames: a grey level that rises by 4."""
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = np.arange(level, level + 4 * frames, 4, dtype=np.uint8)
    video = levels[:, None, None, None] * np.ones((16, 16, 3), np.uint8)
    if path.suffix:
        write_mp4(path, video, quality=5)
        return
    path.mkdir()
    for number, frame in enumerate(video):
        Image.fromarray(frame).save(path / f"{number:05}.jpg", quality=95)


def videos(names: list[str], ignored: tuple[str, ...] = ()) -> Callable[[Path], None]:
    """Builds videos of different levels, and others that are none of the data set's."""

    def build(folder: Path) -> None:
        for number, name in enumerate([*names, *ignored]):
            video(folder / name, level=20 + 13 * number)

    return build


def plain(train: list[str], test: list[str], ignored: tuple[str, ...] = ()) -> StandIn:
    return StandIn(videos([*train, *test], ignored), train, test)


def davis(folder: Path) -> None:
    for number, name in enumerate(("bear", "bus", "camel")):
        video(folder / "JPEGImages/480p" / name, level=20 + 50 * number)
        masks = folder / "Annotations/480p" / name
        masks.mkdir(parents=True)
        for frame in range(FRAMES):
            Image.new("P", (16, 16), 1 + number).save(masks / f"{frame:05}.png")
    lists = folder / "ImageSets/2017"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("camel\nbear\n")
    (lists / "val.txt").write_text("bus\n")


def ucf101(folder: Path) -> None:
    for group in (1, 7, 8, 25):
        video(folder / f"UCF-101/Bowling/v_Bowling_g{group:02}_c01.avi", level=8 * group)


def taxi_file(path: Path, days: list[str], missing: tuple[str, ...] = ()) -> None:
    """Flows of whole days: in 1292 everywhere, out the frame's number modulo 256."""
    stamps = [f"{day}{slot:02}" for day in days for slot in range(1, 49)]
    stamps = [stamp for stamp in stamps if stamp not in missing]
    flows = np.zeros((len(stamps), 2, 32, 32), np.float32)
    flows[:, 0], flows[:, 1] = 1292, np.arange(len(stamps))[:, None, None] % 256
    with h5py.File(path, "w") as file:
        file["data"], file["date"] = flows, np.array(stamps, "S10")


def taxibj(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    taxi_file(folder / "BJ13_M32x32_T30_InOut.h5", ["20130701"])
    taxi_file(folder / "BJ16_M32x32_T30_InOut.h5", ["20160301"])


def prepared(folder: Path) -> None:
    source = folder.with_name(f"{folder.name}-source")
    videos(["train/a.mp4", "train/b.mp4", "test/c.mp4"])(source)
    arguments = ["--source", str(source), "--out", str(folder), "--size", "16"]
    assert main(["prepare", "folder", *arguments]) == 0


SHAPES = [f"generated-train-{i}" for i in range(3)], [f"generated-test-{i}" for i in range(2)]
STAND_INS: dict[str, StandIn] = {
    "moving_mnist": plain(
        ["train-seq100/2.mp4", "train-seq100/10.mp4"], ["test-seq1000/0.mp4"], ("other/1.mp4",)
    ),
    "kth": plain(
        ["train/person01_boxing_d1_uncomp.avi", "train/person20_walking_d2_uncomp.avi"],
        ["test/person21_running_d1_uncomp.avi"],
    ),
    "mazes": plain(["train/2.mp4", "train/10.mp4"], ["test/1.mp4"]),
    "minerl": plain(["train/1.mp4", "train/2.mp4"], ["test/1.mp4"]),
    "folder": plain(["train/a.mp4", "train/frames"], ["test/c.mp4"], ("other/d.mp4",)),
    "frame_folders": StandIn(
        videos(names := ["nested/video1", "video2", "video10"], ("a.mp4",)), names, names
    ),
    "prepared": StandIn(prepared, ["train/a.mp4", "train/b.mp4"], ["test/c.mp4"]),
    "human36m": plain(
        ["S1/Videos/Walking.54138969.mp4", "S8/Videos/Eating 1.55011271.mp4"],
        ["S9/Videos/Posing.58860488.mp4", "S11/Videos/Walking.54138969.mp4"],
        (
            "S1/Videos/_ALL.54138969.mp4",
            "S2/Videos/Walking.54138969.mp4",
            "S1/MySegmentsMat/ground_truth_bs/Walking.54138969.mp4",
        ),
    ),
    "sjtu4k": plain([f"{name}.mp4" for name in "abcd"], ["e.mp4"]),
    "taxibj": StandIn(taxibj, ["BJ13-20130701"], ["BJ16-20160301"], 48),
    "ucf101": StandIn(
        ucf101,
        [f"UCF-101/Bowling/v_Bowling_g{group}_c01.avi" for group in ("08", "25")],
        [f"UCF-101/Bowling/v_Bowling_g{group}_c01.avi" for group in ("01", "07")],
    ),
    "sky": plain(
        ["sky_train/abc/abc_1", "sky_train/abc/abc_2", "sky_train/xyz/xyz_1"],
        ["sky_test/new/new_1"],
    ),
    "davis": StandIn(
        davis, ["JPEGImages/480p/camel", "JPEGImages/480p/bear"], ["JPEGImages/480p/bus"]
    ),
    "moving_shapes": StandIn(None, *SHAPES),
    "forking_shapes": StandIn(None, *SHAPES),
    "stochastic_moving_mnist": StandIn(None, *SHAPES),
}
