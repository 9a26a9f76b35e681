"""The handwritten digits that ship with hvp, as images of MNIST's size and with their labels."""

from __future__ import annotations

from importlib import resources

import numpy as np

from hvp.pixels import to_uint8

DIGIT_SIZE = 28
INK_SIZE = 20  # MNIST centres digits of 20x20 in 28x28
CANVAS = 64  # of Moving MNIST, pixels
TRAINING_DIGITS = 1500  # of 1797


def embedded_digits(split: str, of_each: int | None = None) -> np.ndarray:
    """The digits in `hvp/data/assets`, enlarged smoothly: uint8 `(n, 28, 28)`.

    Args:
        split: the first 1500 are for `train`, the other 297 for testing.
        of_each: takes this many images of each digit instead, in order, whatever the split.
    """
    from PIL import Image

    if of_each is None:
        levels = to_uint8(_archive(split, "images") / 16)
    else:
        images, labels = _archive("train", "images"), _archive("train", "labels")
        chosen = [np.flatnonzero(labels == digit)[:of_each] for digit in range(10)]
        levels = to_uint8(images[np.concatenate(chosen)] / 16)
    margin = (DIGIT_SIZE - INK_SIZE) // 2
    digits = np.zeros((len(levels), DIGIT_SIZE, DIGIT_SIZE), np.uint8)
    for digit, small in zip(digits, levels, strict=True):
        enlarged = Image.fromarray(small).resize((INK_SIZE,) * 2, Image.Resampling.BICUBIC)
        digit[margin:-margin, margin:-margin] = np.asarray(enlarged)
    return digits


def embedded_labels(split: str) -> np.ndarray:
    """What `embedded_digits` show: uint8 `(n,)`, 0 to 9."""
    return _archive(split, "labels")


def _archive(split: str, name: str) -> np.ndarray:
    file = resources.files("hvp.data") / "assets" / "optical_digits.npz"
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        values = archive[name]
    return values[:TRAINING_DIGITS] if split == "train" else values[TRAINING_DIGITS:]
