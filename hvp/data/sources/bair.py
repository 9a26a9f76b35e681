"""BAIR robot pushing, small (Ebert, Finn, Lee, Levine, CoRL 2017, arXiv:1710.05268).

Origin: http://rail.eecs.berkeley.edu/datasets/bair_robot_pushing_dataset_v0.tar, 30 GB: a robot arm
pushes objects about at random, RGB, 64x64, 43264 training and 256 test videos of 30 frames; no
licence is stated. The same as TensorFlow Datasets stores it (`bair_robot_pushing_small`).
Layout of `data.datadir`: `softmotion30_44k/{train,test}/*.tfrecords` as in the archive, or a folder
of `bair_robot_pushing_small-{train,test}.tfrecord-*` at any depth. A record is a video; frames are
raw in the archive's (`T/image_aux1/encoded`), PNG in those of TensorFlow Datasets (`image_aux1`).
Frames are those of the camera `image_aux1`, as in SVG and after it; actions are not read.
Split: as published; there is no `val`.
Protocol: SVG-LP trains 2 -> 10 and tests 2 -> 28 at 64x64, as those after it.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hvp.config import DataConfig
from hvp.data.data_set import Clip, DataSet, Listing, Preparation
from hvp.data.downloads import Download
from hvp.data.stored_videos import fit_frames, of_split, require_folder
from hvp.data.tf_records import read_record, record_starts
from hvp.data.unusable import report_skipped, too_short
from hvp.errors import UserError
from hvp.files import require_regular
from hvp.text import natural_key

URL = "http://rail.eecs.berkeley.edu/datasets/bair_robot_pushing_dataset_v0.tar"
CAMERA = "image_aux1"
SIDE, FRAMES = 64, 30
PATTERNS = (
    "{}/*.tfrecords",
    "softmotion30_44k/{}/*.tfrecords",
    "**/bair_robot_pushing_small-{}.tfrecord-*",
)


class BAIR(DataSet):
    name = "bair"
    preparation = Preparation(SIDE, SIDE, 3)
    protocol = "SVG-LP and those after it train 2 -> 10 and test 2 -> 28 at 64x64"
    downloads = (Download(URL),)
    advice = (
        f"get {URL} (30 GB) and unpack it, or store bair_robot_pushing_small by "
        "tensorflow_datasets; name the folder that holds softmotion30_44k/, or that of "
        "bair_robot_pushing_small"
    )

    def find_clips(self, root: Path, listing: Listing | None = None) -> list[Clip]:
        """Every record of the published files, or of those of TensorFlow Datasets."""
        records = [record for split in self.splits for record in _records(root, split)]
        return [Clip(r.name, r.split, r.file, read=r.read) for r in records]

    def open(self, config: DataConfig, split: str, seq_len: int, seed: int) -> RobotVideos:
        """Opens a split; records are read as they are asked for."""
        root = require_folder(config, self.advice)
        records = of_split({name: _records(root, name) for name in self.splits}, split)
        if not records:
            raise UserError(
                f"data.datadir: {root} holds no videos for the {split} split: {self.advice}"
            )
        return RobotVideos(records, config, seq_len, root)


class Record(NamedTuple):
    """A video: where it is, or why the file that should hold it cannot be used."""

    name: str
    split: str
    file: Path
    start: int = 0  # bytes
    problem: str = ""

    def read(self, path: Path, config: DataConfig) -> np.ndarray:
        """The frames as the config wants them; see `Clip.read`."""
        if self.problem:
            raise UserError(self.problem)
        return fit_frames(read_frames(path, self.start), config)


def _records(root: Path, split: str) -> list[Record]:
    found = {file for pattern in PATTERNS for file in root.glob(pattern.format(split))}
    return [
        record for file in sorted(found, key=natural_key) for record in _records_of(file, split)
    ]


def _records_of(file: Path, split: str) -> list[Record]:
    name = f"{split}/{file.name}"
    try:
        require_regular(file)
        starts = record_starts(file)
    except (UserError, ValueError, OSError) as error:
        return [Record(name, split, file, problem=f"{file}: is damaged or cut off: {error}")]
    return [Record(f"{name}/{i}", split, file, start) for i, start in enumerate(starts)]


def read_frames(path: Path, start: int) -> np.ndarray:
    """The frames of the record that begins at byte `start`: uint8 `(30, 64, 64, 3)`.

    Raises:
        UserError: naming the file, if it is damaged or no record of BAIR.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        features = tf.train.Example.FromString(read_record(path, start)).features.feature
        if CAMERA in features:
            pictures = list(features[CAMERA].bytes_list.value)
        else:
            names = [f"{time}/{CAMERA}/encoded" for time in range(FRAMES)]
            pictures = [features[name].bytes_list.value[0] for name in names if name in features]
        if len(pictures) != FRAMES:
            raise ValueError(f"it holds {len(pictures)} pictures of {CAMERA}, not {FRAMES}")
        return np.stack([_picture(picture) for picture in pictures])
    except (DecodeError, IndexError, SyntaxError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: its record at byte {start} cannot be used: {reason}") from error


def _picture(content: bytes) -> np.ndarray:
    """A frame, raw or encoded: uint8 `(64, 64, 3)`."""
    from PIL import Image

    if len(content) == SIDE * SIDE * 3:
        return np.frombuffer(content, np.uint8).reshape(SIDE, SIDE, 3)
    with Image.open(io.BytesIO(content)) as image:
        if image.size != (SIDE, SIDE):
            raise ValueError(f"a frame has {image.width}x{image.height} pixels, not {SIDE}x{SIDE}")
        return np.asarray(image.convert("RGB"))


class RobotVideos:
    """One split, read record by record. See `FrameSource`."""

    def __init__(self, records: list[Record], config: DataConfig, seq_len: int, root: Path):
        from hvp.quiet import import_tensorflow

        import_tensorflow()  # before there are threads, as it redirects what is printed
        length = min(FRAMES, config.max_video_len or FRAMES)
        sound = [record for record in records if not record.problem]
        short = sound if length < seq_len else []
        self._records = [] if short else sound
        self._config = config
        self.names = [record.name for record in self._records]
        self.lengths = [length] * len(self._records)
        self.skipped = [record.problem for record in records if record.problem]
        self.skipped += [too_short(record.name, length, seq_len) for record in short]
        lengths = [length // config.frame_step] * len(short)
        report_skipped(self, len(records), config.unusable_videos, root, lengths)

    def read(self, video: int, start: int, length: int, epoch: int = 0) -> np.ndarray:
        record = self._records[video]
        return record.read(record.file, self._config)[start : start + length]
