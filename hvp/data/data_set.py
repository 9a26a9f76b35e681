"""What a data set declares: where it comes from, how it is divided, prepared and opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from hvp.config import DataConfig
from hvp.data.downloads import Download
from hvp.data.frame_source import FrameSource
from hvp.data.generated_videos import GeneratedVideos
from hvp.data.stored_videos import Splits, open_found, split_folders
from hvp.data.video_io import Crop
from hvp.errors import UserError
from hvp.text import valid_text

# Clip name -> frame ranges `(first, last)`, 1-based and inclusive.
Listing = Mapping[str, list[tuple[int, int]]]


class Clip(NamedTuple):
    """One video of a data set, wherever it is stored.

    Attributes:
        name: names the clip in its split.
        split: `train`, `val` or `test`.
        path: the video file or frame folder.
        parts: frame ranges `[first, end)` that become clips of their own, `NAME_1`, `NAME_2`, ...;
            `None` for the whole video.
        read: gives the uint8 frames of what `read_video` cannot read, in the size of the config.
        files: gives those that hold the frames, where they are not `path`, or in it.
    """

    name: str
    split: str
    path: Path
    parts: tuple[tuple[int, int], ...] | None = None
    read: Callable[[Path, DataConfig], np.ndarray] | None = None
    files: Callable[[Path], list[Path]] | None = None


class Preparation(NamedTuple):
    """How a data set is prepared unless told otherwise.

    Attributes:
        height, width, channels: of the paper's protocol.
        crop: `center`, or `none` to squeeze the picture.
    """

    height: int
    width: int
    channels: Literal[1, 3]
    crop: Crop = "none"


# From a clip's name and its own split to the splits that have it.
Division = Callable[[str, str], tuple[str, ...]]


class DataSet:
    """A data set: a subclass of this, known by `DATA_SETS` or `hvp.register_dataset`.

    A subclass sets `name`, `advice` and the fields that differ from these. Of the methods it
    overrides what its layout needs: one whose videos lie in `train/` and `test/` needs none, most
    others need `find_videos`.

    Attributes:
        name: as `data.dataset` and `prepare` know it.
        advice: where to get the data and what the folder should hold; ends messages about missing
            data, in one line.
        preparation: how `prepare` stores it unless told otherwise.
        protocol: the papers' numbers of frames and size; empty where there is no paper.
        splits: those it comes in. Without `test`, evaluation takes the training videos.
        divisions: ways to divide it that `data.division` names. They see clips' names as sources
            give them, so that prepared folders need not be made again.
        downloads: files that licence and host allow to be fetched.
        masks: whether its sources have `read_masks` under `data.masks`.
        archives: whether `prepare` looks for archives in its folders, too.
        generated: whether, with `data.datadir: null`, its videos are made on demand, by `generate`.
        stored: whether it is published as files; if not, `prepare` stores generated videos.
    """

    name: ClassVar[str]
    advice: ClassVar[str]
    preparation: ClassVar[Preparation] = Preparation(64, 64, 3)
    protocol: ClassVar[str] = ""
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    divisions: ClassVar[Mapping[str, Division]] = {}
    downloads: ClassVar[tuple[Download, ...]] = ()
    masks: ClassVar[bool] = False
    archives: ClassVar[bool] = True
    generated: ClassVar[bool] = False
    stored: ClassVar[bool] = True

    def find_videos(self, root: Path) -> Splits:
        """Split -> its videos in a folder, in order; splits without videos may be left out."""
        return split_folders(root)

    def find_clips(self, root: Path, listing: Listing | None = None) -> list[Clip]:
        """What `prepare` makes of a folder; none if it is not of this data set."""
        return [
            Clip(valid_text(path.relative_to(root)), split, path)
            for split, paths in self.find_videos(root).items()
            for path in paths
        ]

    def recording(self, name: str) -> str:
        """The recording that a video, or a clip that `prepare` made, is of.

        `data.validation_share` holds out whole ones. Override it where several videos show the
        same scene, person or moment; the video itself by default.
        """
        return name

    def has_validation(self, root: Path) -> bool:
        """Whether a folder holds a `val` split beside the one for testing."""
        splits = self.find_videos(root)
        return bool(splits.get("val") and splits.get("test"))

    def open(self, config: DataConfig, split: str, seq_len: int, seed: int) -> FrameSource:
        """Opens a split of `config.datadir`; see `hvp.data.sources.open_source`."""
        if self.generated and config.datadir is None:
            return self.generate(config, split, seq_len, seed)
        if not self.stored:
            raise UserError(f"data.datadir: {config.datadir} is no prepared set: {self.advice}")
        return open_found(
            config, split, seq_len, self.find_videos, self.advice, self.tests_on_training
        )

    @property
    def tests_on_training(self) -> bool:
        """Whether evaluation takes the training videos where a folder has no others."""
        return "test" not in self.splits

    def generate(self, config: DataConfig, split: str, seq_len: int, seed: int) -> GeneratedVideos:
        """Videos made on demand, for data sets that are `generated`."""
        raise NotImplementedError(f"{type(self).__name__} is generated and lacks `generate`")

    def read_listing(self, path: Path) -> Listing:
        """Reads what `prepare --sequences` names, where a data set comes with such a file."""
        raise UserError(f"--sequences: {self.name} comes with no listing of sequences; kth does")
