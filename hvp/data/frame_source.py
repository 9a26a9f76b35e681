"""What every opened split of a data set looks like: random access to uint8 frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, cast

import numpy as np


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

        `epoch` matters to generators of endless data only.
        """


class MaskedSource(FrameSource, Protocol):
    """A split with a mask beside each frame, as `config.masks` asks for."""

    def read_masks(self, video: int, start: int, length: int) -> np.ndarray:
        """Object labels of frames `[start, start + length)`: uint8 `(length, height, width)`."""


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
        return cast(MaskedSource, self._source).read_masks(video, start * step, length * step)[
            ::step
        ]


class Divided:
    """The videos of several sources that belong to one split. See `FrameSource`.

    Args:
        sources: those of all splits that the data set comes in, by split.
        belongs: whether the split has a video, from its name and its own split.
    """

    def __init__(
        self, sources: Mapping[str, FrameSource], belongs: Callable[[str, str], bool]
    ) -> None:
        self._places = [
            (source, video)
            for own, source in sources.items()
            for video, name in enumerate(source.names)
            if belongs(name, own)
        ]
        self.names = [source.names[video] for source, video in self._places]
        self.lengths = [source.lengths[video] for source, video in self._places]
        self.skipped = [problem for source in sources.values() for problem in source.skipped]

    def read(self, video: int, start: int, length: int, epoch: int = 0) -> np.ndarray:
        source, own = self._places[video]
        return source.read(own, start, length, epoch)

    def read_masks(self, video: int, start: int, length: int) -> np.ndarray:
        source, own = self._places[video]
        return cast(MaskedSource, source).read_masks(own, start, length)
