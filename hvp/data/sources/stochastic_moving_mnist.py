"""Stochastic Moving MNIST (Denton and Fergus, "Stochastic Video Generation", ICML 2018).

Moving MNIST whose bounces are random. Generated from MNIST's own idx files in data.datadir or, with
datadir null, from the optical digits that ship with hvp. Training sequences are fresh in every
epoch, test sequences are always the same. 64x64, grey. Protocol: trains 5 -> 10, tests 5 -> 20.

Rules: two digits of 32x32 on a 64x64 canvas; start positions are uniform in 0..31, velocities
uniform integers from -4 to 4 in each direction. A digit that has left the free range is put back on
its edge and both parts of its velocity are drawn anew: the one across the wall from 1..4 away from
it, the other from -4..4. Frames are sums of digits, clipped.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from hvp.config import DataConfig
from hvp.data.data_set import DataSet, Preparation
from hvp.data.generated_videos import GeneratedVideos
from hvp.data.sources.moving_mnist import mnist_digits
from hvp.data.stored_videos import require_folder
from hvp.digits import embedded_digits
from hvp.errors import UserError

CANVAS, DIGIT = 64, 32
LAST = CANVAS - DIGIT - 1  # the free range is 0 to this
FASTEST = 4
TEST_SEED = 20180710


class StochasticMovingMNIST(DataSet):
    name = "stochastic_moving_mnist"
    preparation = Preparation(CANVAS, CANVAS, 1)
    protocol = "SVG-LP: trains 5 -> 10, tests 5 -> 20; 64x64"
    generated = True
    stored = False
    advice = (
        "it should hold MNIST's train-images-idx3-ubyte.gz and t10k-images-idx3-ubyte.gz; "
        "data.datadir=null takes the digits that ship with hvp"
    )

    def open(self, config: DataConfig, split: str, seq_len: int, seed: int) -> BouncingDigits:
        """Sequences of the digits in `config.datadir`, or of those that ship with hvp."""
        if config.datadir is None:
            return self.generate(config, split, seq_len, seed)
        root = require_folder(config, self.advice)
        digits = mnist_digits(root, "train" if split == "train" else "test")
        if digits is None:
            raise UserError(f"data.datadir: {root} holds no digits of MNIST: {self.advice}")
        return BouncingDigits(_enlarged(digits), config, split, seq_len, seed)

    def generate(self, config: DataConfig, split: str, seq_len: int, seed: int) -> BouncingDigits:
        """Sequences of the digits that ship with hvp."""
        split = "train" if split == "train" else "test"
        digits = _embedded(split, config.images_per_digit)
        return BouncingDigits(digits, config, split, seq_len, seed)


@lru_cache(maxsize=2)
def _embedded(split: str, of_each: int | None) -> np.ndarray:
    return _enlarged(embedded_digits(split, of_each))


def _enlarged(digits: np.ndarray) -> np.ndarray:
    """uint8 `(n, 32, 32)` of `(n, 28, 28)`."""
    from PIL import Image

    size = (DIGIT, DIGIT)
    bilinear = Image.Resampling.BILINEAR
    return np.stack([np.asarray(Image.fromarray(d).resize(size, bilinear)) for d in digits])


class BouncingDigits(GeneratedVideos):
    """Random digits of `digits`, uint8 `(n, 32, 32)`."""

    test_seed = TEST_SEED

    def __init__(self, digits: np.ndarray, config: DataConfig, split: str, seq_len: int, seed: int):
        super().__init__(config, split, seq_len, seed)
        self._digits, self._count = digits, config.num_digits

    def draw(self, random: np.random.Generator, num_frames: int) -> np.ndarray:
        frames = np.zeros((num_frames, CANVAS, CANVAS), np.uint16)
        chosen = self._digits[random.integers(len(self._digits), size=self._count)]
        # Digits draw apart, so that a longer video begins as a shorter one.
        for digit, own in zip(chosen, random.spawn(self._count), strict=True):
            for frame, (x, y) in zip(frames, trajectory(own, num_frames), strict=True):
                frame[y : y + DIGIT, x : x + DIGIT] += digit
        return np.minimum(frames, 255).astype(np.uint8)[..., None]


def trajectory(random: np.random.Generator, num_frames: int) -> np.ndarray:
    """Left and top edges of one digit over time: int `(num_frames, 2)`, each in 0..31."""
    position = random.integers(0, LAST + 1, size=2)
    velocity = random.integers(-FASTEST, FASTEST + 1, size=2)
    positions = np.zeros((num_frames, 2), int)
    for t in range(num_frames):
        for axis in (1, 0):  # in a corner the second draws decide
            if 0 <= position[axis] <= LAST:
                continue
            away = 1 if position[axis] < 0 else -1
            position[axis] = 0 if away > 0 else LAST
            velocity[axis] = away * random.integers(1, FASTEST + 1)
            velocity[1 - axis] = random.integers(-FASTEST, FASTEST + 1)
        positions[t] = position
        position = position + velocity
    return positions
