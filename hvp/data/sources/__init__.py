"""Data sets by name, one file each. A source gives random access to one split's uint8 frames."""

from __future__ import annotations

import importlib
from typing import Protocol

import numpy as np

from hvp.config import DataConfig
from hvp.errors import UserError

# data.dataset -> module with `open_split(config, split, seq_len, seed) -> FrameSource`.
SOURCES = {
    "moving_mnist": "hvp.data.sources.moving_mnist",
    "kth": "hvp.data.sources.kth",
    "mazes": "hvp.data.sources.mazes",
    "folder": "hvp.data.sources.folder",
    "davis": "hvp.data.sources.davis",
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
    return importlib.import_module(SOURCES[config.dataset]).open_split(config, split, seq_len, seed)
