"""Handwritten digits to make Moving MNIST of: MNIST's own files, or a small set that ships here."""

from __future__ import annotations

import gzip
import struct
import zlib
from importlib import resources
from pathlib import Path

import numpy as np

from hvp.errors import UserError
from hvp.pixels import to_uint8

DIGIT_SIZE = 28
INK_SIZE = 20  # MNIST centres digits of 20x20 in 28x28
IDX_IMAGES = 2051  # magic number
IDX_FILES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
EMBEDDED_TRAIN = 1500  # of 1797


def embedded_digits(split: str) -> np.ndarray:
    """The digits in `hvp/data/assets`, enlarged smoothly: uint8 `(n, 28, 28)`.

    The first 1500 are for training, the other 297 for testing.
    """
    from PIL import Image

    file = resources.files("hvp.data") / "assets" / "optical_digits.npz"
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        images = archive["images"]
    images = images[:EMBEDDED_TRAIN] if split == "train" else images[EMBEDDED_TRAIN:]
    levels = to_uint8(images / 16)
    margin = (DIGIT_SIZE - INK_SIZE) // 2
    digits = np.zeros((len(levels), DIGIT_SIZE, DIGIT_SIZE), np.uint8)
    for digit, small in zip(digits, levels, strict=True):
        enlarged = Image.fromarray(small).resize((INK_SIZE,) * 2, Image.Resampling.BICUBIC)
        digit[margin:-margin, margin:-margin] = np.asarray(enlarged)
    return digits


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
