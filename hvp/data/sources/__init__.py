"""Data sets by name, one file each. A source gives random access to one split's uint8 frames."""

from __future__ import annotations

import importlib
from typing import Protocol

import numpy as np

from hvp.config import DataConfig
from hvp.data.prepared_folder import is_prepared
from hvp.errors import UserError

# data.dataset -> module with `open_split(config, split, seq_len, seed) -> FrameSource`.
SOURCES = {
    "moving_mnist": "hvp.data.sources.moving_mnist",
    "kth": "hvp.data.sources.kth",
    "mazes": "hvp.data.sources.mazes",
    "folder": "hvp.data.sources.folder",
    "frame_folders": "hvp.data.sources.frame_folders",
    "prepared": "hvp.data.sources.prepared",
    "human36m": "hvp.data.sources.human36m",
    "sjtu4k": "hvp.data.sources.sjtu4k",
    "taxibj": "hvp.data.sources.taxibj",
    "minerl": "hvp.data.sources.minerl",
    "ucf101": "hvp.data.sources.ucf101",
    "sky": "hvp.data.sources.sky",
    "davis": "hvp.data.sources.davis",
    "moving_shapes": "hvp.data.sources.moving_shapes",
}
WITH_MASKS = ("davis",)  # those whose sources have `read_masks` under `data.masks`
SPLITS = ("train", "val", "test")


class FrameSource(Protocol):
    """One split of a data set.

    Attributes:
        names: one a video.
        lengths: frames of each video.
        skipped: why videos were left out, one line each.
    """

    names: list[str]
    lengths: list[int]
    skipped: list[str]

    def read(self, video: int, start: int, length: int, epoch: int = 0) -> np.ndarray:
        """Frames `[start, start + length)` of a video: uint8 `(length, height, width, channels)`.

        `epoch` matters to generators of endless data only. With `config.masks` there is
        `read_masks(video, start, length)` too: object labels, uint8 `(length, height, width)`.
        """


def open_source(config: DataConfig, split: str, seq_len: int, seed: int) -> FrameSource:
    """Opens one split of `config.dataset`.

    Args:
        split: `train`, `val` (the test split, where a data set has no other) or `test`.
        seq_len: frames per window; videos with fewer are unusable, generated ones have as many.
        seed: of generated training data.

    Raises:
        UserError: for an unknown data set, missing data (saying where to get it) and unusable
            videos, unless `config.unusable_videos` is `skip`.
    """
    if config.dataset not in SOURCES:
        raise UserError(f"data.dataset is {config.dataset!r}; valid: {', '.join(SOURCES)}")
    if config.masks and config.dataset not in WITH_MASKS:
        raise UserError(
            f"data.masks is true, but {config.dataset} has no masks; {', '.join(WITH_MASKS)} has"
        )
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, received {split!r}")
    if config.masks and config.crop != "none":
        raise UserError("data.masks is true, and masks are not cropped: data.crop must be none")
    name = "prepared" if is_prepared(config.datadir) else config.dataset
    if config.masks and name == "prepared":
        raise UserError(
            f"data.masks is true, but {config.datadir} was made by prepare, which keeps no masks; "
            "give the data set's own folder"
        )
    module = importlib.import_module(SOURCES[name])
    source = module.open_split(config, split, seq_len * config.frame_step, seed)
    return source if config.frame_step == 1 else EveryNth(source, config.frame_step)


class EveryNth:
    """Every n-th frame of a source's videos. See `FrameSource`."""

    def __init__(self, source: FrameSource, step: int):
        self._source, self._step = source, step
        self.names, self.skipped = source.names, source.skipped
        self.lengths = [length // step for length in source.lengths]

    def read(self, video: int, start: int, length: int, epoch: int = 0) -> np.ndarray:
        step = self._step
        return self._source.read(video, start * step, length * step, epoch)[::step]

    def read_masks(self, video: int, start: int, length: int) -> np.ndarray:
        step = self._step
        return self._source.read_masks(video, start * step, length * step)[::step]
