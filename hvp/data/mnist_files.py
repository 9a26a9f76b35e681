"""MNIST's own files of digits, to make Moving MNIST of."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from hvp.errors import UserError

IDX_IMAGES = 2051  # magic number
IDX_FILES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}


def find_idx_files(folder: Path) -> dict[str, Path]:
    """MNIST's image files in `folder`, by split, gzipped or not."""
    candidates = {
        split: [folder / name, folder / f"{name}.gz"] for split, name in IDX_FILES.items()
    }
    return {
        split: next(path for path in paths if path.is_file())
        for split, paths in candidates.items()
        if any(path.is_file() for path in paths)
    }


def read_idx_images(path: Path) -> np.ndarray:
    """Reads MNIST's IDX image file: uint8 `(n, 28, 28)`.

    Raises:
        UserError: if the file is damaged or something else.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        magic, count, height, width = struct.unpack(">4I", content[:16])
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise UserError(f"{path}: cannot be read as an MNIST file: {error}") from None
    if magic != IDX_IMAGES or len(content) != 16 + count * height * width:
        raise UserError(
            f"{path}: is not a complete MNIST image file (magic number {magic}, expected "
            f"{IDX_IMAGES}; {len(content)} bytes, expected {16 + count * height * width})"
        )
    return np.frombuffer(content, np.uint8, offset=16).reshape(count, height, width)
