"""What `prepare` makes of a data set: its clips, and how it is usually prepared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hvp.config import DataConfig
from hvp.data.downloads import Download


class Clip(NamedTuple):
    """One video of a data set, wherever it is stored.

    Attributes:
        name: names the clip in its split.
        split: `train`, `val` or `test`.
        path: the video file or frame folder.
        parts: frame ranges `[first, end)` that become clips of their own, `NAME_1`, `NAME_2`, ...;
            `None` for the whole video.
        read: gives the uint8 frames of what `read_video` cannot read, in the size of the config.
    """

    name: str
    split: str
    path: Path
    parts: tuple[tuple[int, int], ...] | None = None
    read: Callable[[Path, DataConfig], np.ndarray] | None = None


class Preparation(NamedTuple):
    """How a data set is prepared unless told otherwise.

    Attributes:
        height, width, channels: of the paper's protocol.
        crop: `center`, or `none` to squeeze the picture.
        downloads: files that licence and host allow to be fetched.
    """

    height: int
    width: int
    channels: int
    crop: str = "none"
    downloads: tuple[Download, ...] = ()
