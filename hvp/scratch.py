"""Arrays that need not fit into memory: small ones are there, large ones in temporary files."""

from __future__ import annotations

import math
import mmap
import os
import shutil
import tempfile
from typing import Any

import numpy as np

from hvp.errors import UserError, writing

IN_MEMORY = 2**26  # bytes that an array may have there


def scratch_array(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros, to be written and read at any place; a large array's are on disk while it is there.

    The file has no name, and is gone with the array or the process. It lies where Python's
    `tempfile` puts files: `TMPDIR` chooses.

    Raises:
        UserError: if the disk has no room for it.

    Example:
        >>> frames = scratch_array((20_000, 64, 64, 1), np.uint8)
        >>> frames[:10] = 255
        >>> release(frames)
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= IN_MEMORY:
        return np.zeros(shape, dtype)
    require_room(size)
    with writing(tempfile.gettempdir()), tempfile.TemporaryFile() as file:
        if hasattr(os, "posix_fallocate"):  # a full disk shows here, not when pages are written
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype, "w+", shape=shape)


def require_room(size: int) -> None:
    """Raises a `UserError` if the disk has no room for `size` bytes."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if size > free:
        raise UserError(
            f"{size / 2**30:.1f} GiB of frames have to lie in {folder}, where {free / 2**30:.1f} "
            "are free; ask for fewer frames or samples, or let TMPDIR name a larger disk"
        )


def release(*arrays: np.ndarray) -> None:
    """Lets go of the memory that files' pages take; what they hold stays, and can be read."""
    for array in arrays:
        base: Any = array
        while isinstance(base, np.ndarray):
            base = base.base
        if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            base.madvise(mmap.MADV_DONTNEED)
