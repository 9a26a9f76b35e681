"""Convolutions by fewer multiplications (Winograd 1980; Lavin and Gray 2016), as matrix products.

Where a CPU computes a wide convolution at the speed of its matrix products, this takes a quarter of
the multiplications at stride 1 and half of them at stride 2, along two axes. An axis of the input
is cut into overlapping tiles, each of which is evaluated at a few points; there a convolution is a
product over channels, from which outputs are interpolated.

A convolution and its gradients are the same three steps in another order, so gradients of any order
gain as much, and nothing but the arguments is kept for them. In float32, rounding errors are some
five times those of direct summation; bfloat16 is too coarse.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import tensorflow as tf

from hvp.layers.recompute import in_parts, in_turn

TAPS, TILE = 3, 4  # of a kernel, and outputs, along an axis
# Beside infinity; of those tried the ones with the smallest rounding errors.
POINTS_OF_THREE = tuple(Fraction(n, 4) for n in (0, 3, -3, 6, -6))
POINTS_OF_TWO = tuple(Fraction(n, 2) for n in (0, -1, 2, -4))
POSITIONS = 1024  # of the outputs of a batch, at least
ELEMENTS_AT_ONCE = 2**26  # values at all points, where a batch has several examples


@dataclass(frozen=True)
class Axis:
    """How an axis is convolved.

    Attributes:
        inputs: `(points, tiles, length)`, to values of each tile at the points.
        kernel: `(points, taps)`.
        outputs: `(points, tiles, outputs)`, from products at the points.
        folded: the points are summed over with the channels: `outputs` has one.
    """

    inputs: np.ndarray
    kernel: np.ndarray
    outputs: np.ndarray
    folded: bool = False


def pays(channels: int, filters: int, batch: int | None, outputs: Sequence[int]) -> bool:
    """Whether `convolve` is here faster than TensorFlow's own convolution, in float32.

    That is on CPUs, from 64 channels and filters on, where tiles are many beside kernels.

    Args:
        channels, filters: of the kernel.
        batch: examples, as far as their number is known.
        outputs: lengths of the output's axes that have tiles.
    """
    return (
        min(channels, filters) >= 64
        and all(length % TILE == 0 for length in outputs)
        and (batch or 1) * math.prod(outputs) >= POSITIONS
        and {device.device_type for device in tf.config.get_visible_devices()} == {"CPU"}
    )


@functools.lru_cache(maxsize=64)
def same(length: int) -> Axis:
    """Stride 1, one zero around the input; `length` is a multiple of 4."""
    inputs, kernel, outputs = _toom_cook(POINTS_OF_THREE, TAPS)
    tiles = length // TILE
    cut = np.zeros((len(inputs), tiles, length + 2))
    for tile in range(tiles):
        cut[:, tile, TILE * tile :][:, : inputs.shape[1]] = inputs
    return Axis(cut[..., 1:-1], kernel, _tiled(outputs, tiles))


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
    return Axis(cut @ before, taps, _tiled(out, tiles))


def direct(length: int, taps: int, stride: int, before: int) -> Axis:
    """Direct summation along the first axis, zeros `before` the input and behind it."""
    outputs = -(-length // stride)
    cut = np.zeros((taps, outputs, before + stride * outputs + taps))
    for tap in range(taps):
        cut[tap, range(outputs), stride * np.arange(outputs) + tap] = 1.0
    inputs = cut[..., before : before + length]
    return Axis(inputs, np.eye(taps), np.eye(outputs)[None], folded=True)


def convolve(
    x: tf.Tensor, kernel: tf.Tensor, axes: Sequence[Axis], transposed: bool = False
) -> tf.Tensor:
    """A convolution along one to three axes, or a transposed one.

    Args:
        x: `(batch, *lengths, channels)`, float32.
        kernel: `(*taps, channels, filters)`; of a transposed one `(*taps, filters, channels)`.
        axes: one for each of `x`; the first may be folded.
        transposed: from the outputs' lengths to the inputs': the convolution's gradient.

    Returns:
        `(batch, *outputs, filters)`.
    """
    ends = ([axis.inputs for axis in axes], [axis.outputs for axis in axes])
    come, go = ends[::-1] if transposed else ends

    @tf.custom_gradient
    def call(x: tf.Tensor, kernel: tf.Tensor) -> tuple:
        def part(rows: tuple, shared: tuple) -> tuple:
            x_at, kernels = _Points(rows[0], come, axes), _Kernels(kernel.shape, axes)
            taps = kernels.taps(shared[0])

            def product(point: tf.Tensor) -> tf.Tensor:
                kernel = kernels.at(taps, point)
                values = tf.matmul(x_at(point), kernel, transpose_b=transposed)
                return _from_points(values, _without_first(go, axes), axes[0].folded)

            points = tf.range(len(x_at))
            products = tf.map_fn(
                product, points, parallel_iterations=1, fn_output_signature=tf.float32
            )
            return (_join_first(products, go, axes),), ()

        with in_turn() as others:
            rows, shared = (tf.stop_gradient(x),), (tf.stop_gradient(kernel),)
            (y,), _ = in_parts(part, rows, shared, _at_once(kernel.shape[-2:], axes))
            others[:] = [y]

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            ends = (upstream, x) if transposed else (x, upstream)
            return (
                convolve(upstream, kernel, axes, not transposed),
                _kernel_gradient(*ends, axes),
            )

        return y, gradient

    return call(x, kernel)


def _kernel_gradient(x: tf.Tensor, y: tf.Tensor, axes: Sequence[Axis]) -> tf.Tensor:
    """Of the sum of `y` times `convolve(x, kernel, axes)`."""
    shape = (*(axis.kernel.shape[1] for axis in axes), x.shape[-1], y.shape[-1])

    @tf.custom_gradient
    def call(x: tf.Tensor, y: tf.Tensor) -> tuple:
        def part(rows: tuple, shared: tuple) -> tuple:
            x_at = _Points(rows[0], [axis.inputs for axis in axes], axes)
            y_at = _Points(rows[1], [axis.outputs for axis in axes], axes)
            kernels = _Kernels(shape, axes)

            def taps(point: tf.Tensor) -> tf.Tensor:
                return kernels.taps_of(tf.matmul(x_at(point), y_at(point), transpose_a=True), point)

            _, total = tf.while_loop(
                lambda point, _: point < len(x_at),
                lambda point, total: (point + 1, total + taps(point)),
                # Zeros would become a constant of the graph, as large as the kernel.
                (tf.constant(1), taps(tf.constant(0))),
                parallel_iterations=1,
            )
            return (), (kernels.from_taps(total),)

        with in_turn() as others:
            rows = (tf.stop_gradient(x), tf.stop_gradient(y))
            _, (kernel,) = in_parts(part, rows, (), _at_once(shape[-2:], axes))
            others[:] = [kernel]

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return convolve(y, upstream, axes, True), convolve(x, upstream, axes)

        return kernel, gradient

    return call(x, y)


class _Points:
    """Values at one point of the first axis that is not folded, and all points of the others."""

    def __init__(self, x: tf.Tensor, matrices: Sequence[np.ndarray], axes: Sequence[Axis]) -> None:
        first, (*lengths, channels) = int(axes[0].folded), x.shape[1:]
        self.matrix, self.folded = matrices[first], axes[0].folded
        self.others = _without_first(matrices, axes)
        inner = math.prod(lengths[first + 1 :]) * channels
        x = tf.matmul(_plane(self.matrix), tf.reshape(x, (-1, lengths[first], inner)))
        points, tiles, _ = self.matrix.shape
        self.values = tf.reshape(x, (-1, points, tiles * inner))
        self.shape = (-1, *lengths[:first], tiles, *lengths[first + 1 :], channels)

    def __len__(self) -> int:
        return len(self.matrix)

    def __call__(self, point: tf.Tensor) -> tf.Tensor:
        """`(points of the others, batch * tiles, channels)`."""
        x = tf.slice(self.values, (0, point, 0), (-1, 1, -1))
        return _to_points(tf.reshape(x, self.shape), self.others, self.folded)


class _Kernels:
    """Kernels of a shape at one point of the first axis that is not folded, all of the others."""

    def __init__(self, shape: Sequence[int], axes: Sequence[Axis]) -> None:
        count, folded = len(axes), axes[0].folded
        own = [axis.kernel for axis in axes[folded:]]
        joined = functools.reduce(np.kron, own).reshape(len(own[0]), -1, TAPS ** len(own))
        self.matrices = tf.constant(joined, tf.float32)  # (points, points of the others, taps)
        self.order = [*range(int(folded), count), *range(int(folded)), count, count + 1]
        self.ordered = [shape[place] for place in self.order]
        self.channels = shape[-2] * (shape[0] if folded else 1)

    def taps(self, kernel: tf.Tensor) -> tf.Tensor:
        """`(taps, channels * filters)`; taps of a folded axis are channels."""
        return tf.reshape(tf.transpose(kernel, self.order), (self.matrices.shape[2], -1))

    def at(self, taps: tf.Tensor, point: tf.Tensor) -> tf.Tensor:
        """`(points of the others, channels, filters)`."""
        values = tf.matmul(self.matrices[point], taps)
        return tf.reshape(values, (values.shape[0], self.channels, -1))

    def taps_of(self, values: tf.Tensor, point: tf.Tensor) -> tf.Tensor:
        """The transposed linear map of `at`."""
        values = tf.reshape(values, (values.shape[0], -1))
        return tf.matmul(self.matrices[point], values, transpose_a=True)

    def from_taps(self, taps: tf.Tensor) -> tf.Tensor:
        """The transposed linear map of `taps`."""
        return tf.transpose(tf.reshape(taps, self.ordered), np.argsort(self.order))


def _without_first(matrices: Sequence[np.ndarray], axes: Sequence[Axis]) -> list[np.ndarray]:
    """With tiles for the first axis that is not folded, which has one point."""
    first = int(axes[0].folded)
    return [*matrices[:first], np.eye(matrices[first].shape[1])[None], *matrices[first + 1 :]]


def _join_first(x: tf.Tensor, matrices: Sequence[np.ndarray], axes: Sequence[Axis]) -> tf.Tensor:
    """The transposed map of all `_Points`, `(points, batch, [time,] tiles, ..., channels)`."""
    first, shape = int(axes[0].folded), list(x.shape)
    points, tiles, length = matrices[first].shape
    inner = math.prod(shape[first + 3 :])
    x = tf.transpose(tf.reshape(x, (points, -1, tiles * inner)), (1, 0, 2))
    x = tf.reshape(x, (-1, points * tiles, inner))
    x = tf.matmul(_plane(matrices[first]), x, transpose_a=True)
    return tf.reshape(x, (-1, *shape[2 : first + 2], length, *shape[first + 3 :]))


def _at_once(channels: Sequence[int], axes: Sequence[Axis]) -> int:
    """Rows of a batch whose values at the points are in memory together."""
    ends = ([axis.inputs for axis in axes], [axis.outputs for axis in axes])
    elements = [math.prod(math.prod(matrix.shape[:2]) for matrix in end) for end in ends]
    return max(1, ELEMENTS_AT_ONCE // sum(map(math.prod, zip(elements, channels, strict=True))))


def _to_points(x: tf.Tensor, matrices: Sequence[np.ndarray], folded: bool) -> tf.Tensor:
    """`(batch, *lengths, channels)` to `(points, batch * tiles, channels)`.

    Points of a folded first axis become channels.
    """
    *lengths, channels = x.shape[1:]
    inner = channels
    for matrix, length in zip(matrices[::-1], lengths[::-1], strict=True):
        if len(matrix) > 1:
            x = tf.matmul(_plane(matrix), tf.reshape(x, (-1, length, inner)))
        inner *= math.prod(matrix.shape[:2])
    pairs = [n for matrix in matrices for n in matrix.shape[:2]]
    x = tf.transpose(tf.reshape(x, (-1, *pairs, channels)), _points_first(len(matrices), folded))
    points = [len(matrix) for matrix in matrices]
    inner = channels * (points.pop(0) if folded else 1)
    return tf.reshape(x, (math.prod(points), -1, inner))


def _from_points(x: tf.Tensor, matrices: Sequence[np.ndarray], folded: bool) -> tf.Tensor:
    """The transposed linear map of `_to_points`."""
    order = _points_first(len(matrices), folded)
    pairs = [-1, *(n for matrix in matrices for n in matrix.shape[:2])]
    channels = x.shape[-1] // (len(matrices[0]) if folded else 1)
    x = tf.reshape(x, [[*pairs, channels][place] for place in order])
    x = tf.transpose(x, np.argsort(order))
    inner = channels * math.prod(pairs[1:])
    for matrix in matrices:
        rows = math.prod(matrix.shape[:2])
        inner //= rows
        if len(matrix) > 1:
            x = tf.matmul(_plane(matrix), tf.reshape(x, (-1, rows, inner)), transpose_a=True)
    return tf.reshape(x, (-1, *(matrix.shape[2] for matrix in matrices), channels))


def _points_first(count: int, folded: bool) -> list[int]:
    """Order of axes from `(batch, points, tiles, points, tiles, ..., channels)`."""
    points, tiles = [2 * i + 1 for i in range(count)], [2 * i + 2 for i in range(count)]
    inner = [points.pop(0)] if folded else []
    return [*points, 0, *tiles, *inner, 2 * count + 1]


def _plane(matrix: np.ndarray) -> tf.Tensor:
    """`(points * tiles, length)`."""
    return tf.constant(matrix.reshape(-1, matrix.shape[2]), tf.float32)


def _tiled(outputs: np.ndarray, tiles: int) -> np.ndarray:
    """`(points, tiles, outputs)` of all tiles from `(outputs, points)` of one."""
    return np.einsum("op,ts->ptso", outputs, np.eye(tiles)).reshape(outputs.shape[1], tiles, -1)


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
