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
        val: as `train`, where it has a split of its own for it.
    """

    build: Callable[[Path], None] | None
    train: list[str]
    test: list[str]
    frames: int = FRAMES
    val: list[str] | None = None


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


def robot_frames(seed: int, frames: int = 30) -> np.ndarray:
    """A square that moves over a grey level: uint8 `(frames, 64, 64, 3)`."""
    video = np.full((frames, 64, 64, 3), 20 + 30 * seed, np.uint8)
    for time, frame in enumerate(video):
        frame[20:30, time : time + 10] = (250, 120, 7 * time)
    return video


def bair_example(frames: np.ndarray) -> bytes:
    """A record as BAIR's authors write them: raw frames, a feature for each."""
    import tensorflow as tf

    features = {}
    for time, frame in enumerate(frames):
        for camera, picture in (("image_aux1", frame), ("image_main", 255 - frame)):
            content = tf.train.BytesList(value=[picture.tobytes()])
            features[f"{time}/{camera}/encoded"] = tf.train.Feature(bytes_list=content)
        position = tf.train.FloatList(value=[0.1 * time, 0.2, 0.3])
        features[f"{time}/endeffector_pos"] = tf.train.Feature(float_list=position)
        action = tf.train.FloatList(value=[0.0, 0.1, 0.2, 0.3])
        features[f"{time}/action"] = tf.train.Feature(float_list=action)
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write_records(path: Path, records: list[bytes]) -> None:
    import tensorflow as tf

    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def bair(folder: Path) -> None:
    names = ["train/traj_0_to_1", "train/traj_10_to_11", "test/traj_0_to_1"]
    for number, name in enumerate(names):
        records = [bair_example(robot_frames(2 * number + i)) for i in range(2)]
        write_records(folder / f"softmotion30_44k/{name}.tfrecords", records)


def snippet(folder: Path, city: str, sequence: int, first: int, level: int) -> None:
    """30 pictures of a snippet of Cityscapes, 64x32 for 2048x1024."""
    (folder / city).mkdir(parents=True, exist_ok=True)
    for number in range(first, first + 30):
        frame = np.full((32, 64, 3), level + number - first, np.uint8)
        name = f"{city}_{sequence:06}_{number:06}_leftImg8bit.png"
        Image.fromarray(frame).save(folder / city / name)


CITY_SNIPPETS = [
    ("train", "aachen", 0, 0, 20),
    ("train", "aachen", 1, 0, 60),
    ("train", "hamburg", 0, 12, 100),
    ("train", "hamburg", 0, 42, 130),  # it follows without a gap
    ("val", "munster", 0, 0, 160),
    ("test", "bonn", 0, 275, 200),
]


def cityscapes(folder: Path) -> None:
    for split, *what in CITY_SNIPPETS:
        snippet(folder / "leftImg8bit_sequence" / split, *what)


def city_names(split: str) -> list[str]:
    """First frames of the snippets, as they are named."""
    return [
        f"leftImg8bit_sequence/{split}/{city}/{city}_{sequence:06}_{first:06}_leftImg8bit.png"
        for own, city, sequence, first, _ in CITY_SNIPPETS
        if own == split
    ]


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
    "bair": StandIn(
        bair,
        [f"train/traj_{name}.tfrecords/{i}" for name in ("0_to_1", "10_to_11") for i in range(2)],
        [f"test/traj_0_to_1.tfrecords/{i}" for i in range(2)],
        30,
    ),
    "cityscapes": StandIn(
        cityscapes, city_names("train"), city_names("test"), 30, city_names("val")
    ),
    "moving_shapes": StandIn(None, *SHAPES),
    "forking_shapes": StandIn(None, *SHAPES),
    "stochastic_moving_mnist": StandIn(None, *SHAPES),
}
