"""Convolutions by fewer multiplications (Winograd 1980; Lavin and Gray 2016), as matrix products.

Where a CPU computes a wide convolution at the speed of its matrix products, this is two to four
times as fast. An axis of the input is cut into overlapping tiles, each of which is evaluated at a
few points; there a convolution is a product over channels, from which outputs are interpolated.

Everything is made of products with constant matrices, so gradients of any order gain as much. In
float32, rounding errors are some five times those of direct summation; bfloat16 is too coarse.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction

import numpy as np
import tensorflow as tf

TAPS, TILE = 3, 4  # of a kernel, and outputs, along an axis
# Beside infinity; of those tried the ones with the smallest rounding errors.
FINITE = tuple(Fraction(n, 4) for n in (0, 3, -3, 6, -6))
POINTS = len(FINITE) + 1


def suits(x: tf.Tensor, kernel: tf.Tensor) -> bool:
    """Whether `convolve` takes these, and here is faster than TensorFlow's own convolution.

    That is on CPUs, from 64 channels and outputs on, where tiles are many beside kernels.
    """
    *lengths, channels = x.shape[1:]
    return (
        x.dtype == tf.float32
        and set(kernel.shape[:-2]) == {TAPS}
        and min(channels, kernel.shape[-1]) >= 64
        and all(length and length % TILE == 0 for length in lengths)
        and math.prod(lengths) >= (16**2 if len(lengths) < 3 else 8 * 32**2)
        and {device.device_type for device in tf.config.get_visible_devices()} == {"CPU"}
    )


def convolve(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """A convolution of stride 1, one zero around the input, along one to three axes.

    Args:
        x: `(batch, *lengths, channels)`, all but the batch multiples of 4.
        kernel: `(3, ..., 3, channels, filters)`.

    Returns:
        `(batch, *lengths, filters)`.
    """
    channels, filters = kernel.shape[-2:]
    lengths = list(x.shape[1:-1])
    count = len(lengths)
    _, evaluate, interpolate = _tile_matrices()
    for i, length in enumerate(lengths):
        x = tf.reshape(x, (-1, length, math.prod((*lengths[i + 1 :], channels))))
        x = tf.matmul(tf.constant(_cut_and_evaluate(length)), x)
    tiles = [length // TILE for length in lengths]
    pairs = [n for tile in tiles for n in (POINTS, tile)]
    # (batch, points, tiles, ..., channels) -> (points..., batch, tiles..., channels)
    order = [2 * i + 1 for i in range(count)] + [0]
    order += [2 * i + 2 for i in range(count)] + [2 * count + 1]
    x = tf.transpose(tf.reshape(x, (-1, *pairs, channels)), order)
    x = tf.reshape(x, (POINTS**count, -1, channels))
    kernel = tf.matmul(_power(evaluate, count), tf.reshape(kernel, (TAPS**count, -1)))
    x = tf.matmul(x, tf.reshape(kernel, (-1, channels, filters)))
    x = tf.matmul(_power(interpolate, count), tf.reshape(x, (POINTS**count, -1)))
    # (outputs of a tile..., batch, tiles..., filters) -> (batch, tiles, outputs, ..., filters)
    x = tf.reshape(x, (*[TILE] * count, -1, *tiles, filters))
    order = [count] + [n for i in range(count) for n in (count + 1 + i, i)] + [2 * count + 1]
    return tf.reshape(tf.transpose(x, order), (-1, *lengths, filters))


def _power(matrix: np.ndarray, count: int) -> tf.Tensor:
    """A matrix for each of `count` axes as one for all."""
    return tf.constant(functools.reduce(np.kron, [matrix] * count), tf.float32)


@functools.lru_cache(maxsize=64)
def _cut_and_evaluate(length: int) -> np.ndarray:
    """`(6 * tiles, length)`: values of each tile of an axis at each point, points first."""
    inward = _tile_matrices()[0]
    tiles = np.zeros((POINTS, length // TILE, length + 2))
    for tile in range(length // TILE):
        tiles[:, tile, TILE * tile : TILE * tile + POINTS] = inward
    return np.ascontiguousarray(tiles[..., 1:-1].reshape(-1, length), np.float32)


@functools.lru_cache(maxsize=1)
def _tile_matrices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a tile: inputs, taps and outputs at the points (Toom-Cook).

    Returns:
        `(6, 6)`, `(6, 3)` and `(4, 6)`, float64.
    """
    kernel, outward = np.zeros((POINTS, TAPS)), np.zeros((TILE, POINTS))
    for i, point in enumerate(FINITE):
        others = math.prod(point - other for other in FINITE if other != point)
        kernel[i] = [float(point**j / others) for j in range(TAPS)]
        outward[:, i] = [float(point**j) for j in range(TILE)]
    kernel[-1, -1] = outward[-1, -1] = 1.0
    # What is left is fixed by y[k] = sum_j x[k + j] kernel[j] for every input and tap.
    known = np.einsum("ki,ij->kji", outward, kernel).reshape(-1, POINTS)
    wanted = np.zeros((TILE, TAPS, POINTS))
    for k in range(TILE):
        wanted[k, range(TAPS), range(k, k + TAPS)] = 1.0
    inward = np.linalg.lstsq(known, wanted.reshape(-1, POINTS), rcond=None)[0]
    return inward, kernel, outward
