"""Cityscapes' sequences (Cordts et al., CVPR 2016).

Origin: leftImg8bit_sequence_trainvaltest.zip (324 GB) of https://www.cityscapes-dataset.com, after
registration, for non-commercial use; to be fetched by hand. A camera behind a windscreen in 50
cities, RGB, 2048x1024, 17 fps: 2975 training, 500 validation and 1525 test snippets of 30 frames.
Layout of `data.datadir`: `leftImg8bit_sequence/SPLIT/CITY/CITY_SEQUENCE_FRAME_leftImg8bit.png`, the
frames of a snippet numbered on without a gap.
Split: the folders train, val and test.
Protocol: 2 -> 28 at 128x128, the middle square of the picture (MCVD and those that follow it).
"""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

import numpy as np

from hvp.config import DataConfig
from hvp.data.data_set import Clip, DataSet, Listing, Preparation
from hvp.data.decoding import read_picture
from hvp.data.stored_videos import Splits, VideoFiles, of_split, require_folder
from hvp.data.video_io import fit_frame
from hvp.errors import UserError

FOLDER = "leftImg8bit_sequence"
FRAME = re.compile(r"([a-z-]+_\d{6})_(\d{6})_leftImg8bit\.png")
DRIVE = re.compile(r"[a-z-]+_\d{6}(?=_\d{6})")
FRAMES = 30  # of a snippet


class Cityscapes(DataSet):
    name = "cityscapes"
    splits = ("train", "val", "test")
    preparation = Preparation(128, 128, 3, crop="center")
    protocol = "MCVD and those after it 2 -> 28 at 128x128, the middle square of the picture"
    advice = (
        "register at https://www.cityscapes-dataset.com, fetch "
        "leftImg8bit_sequence_trainvaltest.zip (324 GB) by hand and name it by --source, or the "
        "folder that holds leftImg8bit_sequence/"
    )

    def recording(self, name: str) -> str:
        """The city's drive: snippets of one may show the same street."""
        drive = DRIVE.search(name)
        return drive[0] if drive else name

    def find_videos(self, root: Path) -> Splits:
        """The first frames of the snippets."""
        base = root / FOLDER if (root / FOLDER).is_dir() else root
        return {split: _first_frames(base / split) for split in self.splits}

    def find_clips(self, root: Path, listing: Listing | None = None) -> list[Clip]:
        """The snippets, by city, sequence and number of their first frame."""
        return [
            Clip(snippet_name(split, path), split, path, read=read_snippet, files=snippet_files)
            for split, paths in self.find_videos(root).items()
            for path in paths
        ]

    def open(self, config: DataConfig, split: str, seq_len: int, seed: int) -> VideoFiles:
        """Opens a split; snippets go through the cache."""
        root = require_folder(config, self.advice)
        paths = of_split(self.find_videos(root), split)
        if not paths:
            raise UserError(
                f"data.datadir: {root} holds no videos for the {split} split: {self.advice}"
            )
        return VideoFiles(paths, config, seq_len, root, read_snippet, snippet_files)


def snippet_name(split: str, first: Path) -> str:
    """Such as `train/aachen_000000_000000`."""
    return f"{split}/{first.name.removesuffix('_leftImg8bit.png')}"


def _first_frames(folder: Path) -> list[Path]:
    """The first frame of every snippet: of each 30 in a run of numbers without a gap."""
    frames = [(path, m) for path in folder.glob("*/*.png") if (m := FRAME.fullmatch(path.name))]
    numbered = sorted((path.parent.name, m[1], int(m[2]), path) for path, m in frames)
    # In a run of consecutive numbers, the number less the place stays the same.
    runs = groupby(enumerate(numbered), key=lambda item: (*item[1][:2], item[1][2] - item[0]))
    return [path for _, run in runs for _, (*_, path) in list(run)[::FRAMES]]


def snippet_files(first: Path) -> list[Path]:
    """The pictures of the snippet that begins with a picture.

    Raises:
        UserError: naming the one that is missing.
    """
    match = FRAME.fullmatch(first.name)
    assert match is not None  # as `_first_frames` finds them
    numbers = range(int(match[2]), int(match[2]) + FRAMES)
    paths = [first.with_name(f"{match[1]}_{n:06}_leftImg8bit.png") for n in numbers]
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise UserError(f"{missing}: is missing; snippets have {FRAMES} frames")
    return paths


def read_snippet(first: Path, config: DataConfig) -> np.ndarray:
    """The frames of the snippet that begins with a picture: uint8 `(30, height, width, channels)`.

    Raises:
        UserError: naming the picture that is missing or broken.
    """
    frames = [
        fit_frame(read_picture(path), config.height, config.width, config.channels, config.crop)
        for path in snippet_files(first)
    ]
    return np.stack(frames)
