"""How an axis of a convolution is cut into tiles, evaluated at points and interpolated (Toom-Cook).

Winograd 1980; Lavin and Gray 2016. `hvp.layers.winograd` convolves by it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

TAPS, TILE = 3, 4  # of a kernel, and outputs, along an axis
# Beside infinity; of those tried the ones with the smallest rounding errors.
POINTS_OF_THREE = tuple(Fraction(n, 4) for n in (0, 3, -3, 6, -6))
POINTS_OF_TWO = tuple(Fraction(n, 2) for n in (0, -1, 2, -4))


@dataclass(frozen=True)
class Axis:
    """How an axis is convolved.

    Attributes:
        inputs: `(points, tiles, length)`, to values of each tile at the points.
        kernel: `(points, taps)`.
        outputs: `(points, outputs of a tile)`, from products at the points.
        folded: the points are summed over with the channels: `outputs` has one.
    """

    inputs: np.ndarray
    kernel: np.ndarray
    outputs: np.ndarray
    folded: bool = False

    @property
    def tiles(self) -> int:
        return self.inputs.shape[1]

    @property
    def all_outputs(self) -> np.ndarray:
        """`(points, tiles, outputs)`, from products at the points of every tile."""
        tiled = np.einsum("po,ts->ptso", self.outputs, np.eye(self.tiles))
        return tiled.reshape(len(self.outputs), self.tiles, -1)


@functools.lru_cache(maxsize=64)
def same(length: int) -> Axis:
    """Stride 1, one zero around the input; `length` is a multiple of 4."""
    inputs, kernel, outputs = _toom_cook(POINTS_OF_THREE, TAPS)
    tiles = length // TILE
    cut = np.zeros((len(inputs), tiles, length + 2))
    for tile in range(tiles):
        cut[:, tile, TILE * tile :][:, : inputs.shape[1]] = inputs
    return Axis(cut[..., 1:-1], kernel, outputs.T)


def halved(before: np.ndarray) -> Axis:
    """Stride 2, without zeros around what `before` makes of the input.

    The even inputs see two of three taps, the odd ones a single one: 9 points for 4 outputs.

    Args:
        before: `(2 * outputs + 1, length)`, applied to the input; `outputs` is a multiple of 4.
    """
    inputs, kernel, outputs = _toom_cook(POINTS_OF_TWO, TAPS - 1)
    even, points = len(inputs), len(inputs) + TILE
    tiles = len(before) // (2 * TILE)
    cut = np.zeros((points, tiles, len(before)))
    for tile in range(tiles):
        own = cut[:, tile, 2 * TILE * tile :][:, : 2 * TILE + 1]
        own[:even, ::2], own[even:, 1::2] = inputs, np.eye(TILE)
    taps, out = np.zeros((points, TAPS)), np.zeros((TILE, points))
    taps[:even, ::2], taps[even:, 1] = kernel, 1.0
    out[:, :even], out[:, even:] = outputs, np.eye(TILE)
    return Axis(cut @ before, taps, out.T)


def direct(length: int, taps: int, stride: int, before: int) -> Axis:
    """Direct summation along the first axis, zeros `before` the input and behind it."""
    outputs = -(-length // stride)
    cut = np.zeros((taps, outputs, before + stride * outputs + taps))
    for tap in range(taps):
        cut[tap, range(outputs), stride * np.arange(outputs) + tap] = 1.0
    inputs = cut[..., before : before + length]
    return Axis(inputs, np.eye(taps), np.ones((1, 1)), folded=True)


@functools.cache
def _toom_cook(finite: Sequence[Fraction], taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a tile: inputs, taps and outputs at the points and at infinity.

    Returns:
        `(points, points)`, `(points, taps)` and `(4, points)`, float64.
    """
    points = len(finite) + 1
    kernel, outputs = np.zeros((points, taps)), np.zeros((TILE, points))
    for i, point in enumerate(finite):
        others = math.prod(point - other for other in finite if other != point)
        kernel[i] = [float(point**j / others) for j in range(taps)]
        outputs[:, i] = [float(point**j) for j in range(TILE)]
    kernel[-1, -1] = outputs[-1, -1] = 1.0
    # What is left is fixed by y[k] = sum_j x[k + j] kernel[j] for every input and tap.
    known = np.einsum("ki,ij->kji", outputs, kernel).reshape(-1, points)
    wanted = np.zeros((TILE, taps, points))
    for k in range(TILE):
        wanted[k, range(taps), range(k, k + taps)] = 1.0
    inputs = np.linalg.lstsq(known, wanted.reshape(-1, points), rcond=None)[0]
    return inputs, kernel, outputs
