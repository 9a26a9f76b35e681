"""uint8 frames that lie one after another in a file."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from hvp.data.array_files import HEADERS


class RawFrames(NamedTuple):
    """A video's frames within a file.

    Only what is asked for is read, and no file stays open or mapped: neither memory nor open files
    grow with the data set.
    """

    path: Path
    offset: int  # bytes
    shape: tuple[int, int, int, int]  # time, height, width, channels

    @classmethod
    def of_array(cls, path: Path) -> RawFrames:
        """The frames of a `.npy` file in C order."""
        with HEADERS:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        return cls(path, array.offset, array.shape)

    def read(self, start: int, length: int) -> np.ndarray:
        """Frames `[start, start + length)`, uint8 `(length, height, width, channels)`."""
        frame = int(np.prod(self.shape[1:]))
        content = np.fromfile(
            self.path, np.uint8, length * frame, offset=self.offset + start * frame
        )
        return content.reshape(length, *self.shape[1:])
