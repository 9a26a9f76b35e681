"""Convolutions by fewer multiplications (Winograd 1980; Lavin and Gray 2016), as matrix products.

Where a CPU computes a wide convolution at the speed of its matrix products, this takes half of the
multiplications for every axis at stride 1 and three quarters at stride 2. An axis of the input is
cut into overlapping tiles, each of which is evaluated at a few points; there a convolution is a
product over channels, from which outputs are interpolated.

A convolution and its gradients are the same three steps in another order, so gradients of any order
gain as much, and nothing but the arguments is kept for them. What lies between is in memory for one
point of an axis at a time. In float32, rounding errors are some five times those of direct
summation; bfloat16 is too coarse.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from hvp.layers.custom_gradients import custom_gradient
from hvp.layers.recompute import in_parts, in_turn
from hvp.layers.toom_cook import TAPS, TILE, Axis, same

POSITIONS = 1024  # of the outputs of a batch, at least
# Channels times filters, from which on a convolution of stride 1 over a plane gains, which saves
# less than one over time, or than one and a blur in one.
WIDE = 2**17
ELEMENTS_AT_ONCE = 2**26  # values at all points, where a batch has several examples


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


def same_axes(x: tf.Tensor, kernel_shape: Sequence[int], least: int = 0) -> list[Axis] | None:
    """Axes of `convolve` at stride 1, zeros around the input; `None` where this is no faster.

    Args:
        x: `(batch, *lengths, channels)`.
        kernel_shape: `(*taps, channels, filters)`, or `(*taps, filters, channels)`.
        least: channels times filters, at least.
    """
    (*taps, channels, filters), (batch, *lengths) = kernel_shape, x.shape[:-1]
    if (
        set(taps) != {TAPS}
        or channels * filters < least
        or x.dtype != tf.float32
        or None in lengths
        or not pays(channels, filters, batch, lengths)
    ):
        return None
    return [same(length) for length in lengths]


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
    ends = (_Inputs(axes), _Outputs(axes))
    come, go = ends[::-1] if transposed else ends

    @custom_gradient
    def call(x: tf.Tensor, kernel: tf.Tensor) -> tuple:
        def part(rows: tuple, shared: tuple) -> tuple:
            kernels = _Kernels(kernel.shape, axes)
            values, taps = come.evaluate(rows[0]), kernels.taps(shared[0])

            def product(point: tf.Tensor) -> tf.Tensor:
                own = kernels.at(taps, point)
                return go.back(tf.matmul(come.at(values, point), own, transpose_b=transposed))

            points = tf.range(go.points)
            products = tf.map_fn(
                product, points, parallel_iterations=1, fn_output_signature=tf.float32
            )
            return (go.interpolate(products),), ()

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
    inputs, outputs = _Inputs(axes), _Outputs(axes)
    shape = (*(axis.kernel.shape[1] for axis in axes), x.shape[-1], y.shape[-1])

    @custom_gradient
    def call(x: tf.Tensor, y: tf.Tensor) -> tuple:
        def part(rows: tuple, shared: tuple) -> tuple:
            kernels = _Kernels(shape, axes)
            xs, ys = inputs.evaluate(rows[0]), outputs.evaluate(rows[1])

            def taps(point: tf.Tensor) -> tf.Tensor:
                at = inputs.at(xs, point), outputs.at(ys, point)
                return kernels.taps_of(tf.matmul(*at, transpose_a=True), point)

            _, total = tf.while_loop(
                lambda point, _: point < inputs.points,
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


class _End:
    """What a convolution comes from or goes to, at the points and back.

    The first axis that is not folded is evaluated at all of its points at once; the others at one
    of these after the other.
    """

    def __init__(self, axes: Sequence[Axis], matrices: Sequence[np.ndarray]) -> None:
        self.first = int(axes[0].folded)
        self.matrix = matrices[self.first]
        self.points, self.tiles, self.length = self.matrix.shape

    def evaluate(self, x: tf.Tensor) -> tf.Tensor:
        """`(batch, [time,] length, ...)` to `(points, batch * time, tiles, ...)`."""
        inner = x.shape[self.first + 2 :]
        x = tf.reshape(x, (-1, self.length, math.prod(inner)))
        x = tf.matmul(_plane(self.matrix), x)
        x = tf.reshape(x, (-1, self.points, self.tiles * math.prod(inner)))
        # Points first: where there is one example, neither this nor taking a point copies.
        x = tf.transpose(x, (1, 0, 2))
        return tf.reshape(x, (self.points, -1, self.tiles, *inner))

    def interpolate(self, x: tf.Tensor) -> tf.Tensor:
        """The transposed linear map, of `(points, batch, [time,] tiles, ...)`."""
        time, inner = x.shape[2 : self.first + 2], x.shape[self.first + 3 :]
        x = tf.reshape(x, (self.points, -1, self.tiles * math.prod(inner)))
        x = tf.transpose(x, (1, 0, 2))
        x = tf.reshape(x, (-1, self.points * self.tiles, math.prod(inner)))
        x = tf.matmul(_plane(self.matrix), x, transpose_a=True)
        return tf.reshape(x, (-1, *time, self.length, *inner))

    def at(self, values: tf.Tensor, point: tf.Tensor) -> tf.Tensor:
        """At a point: `(points of the others, batch * tiles, channels)`."""
        raise NotImplementedError

    def back(self, values: tf.Tensor) -> tf.Tensor:
        """The transposed linear map of `at`, to `(batch, [time,] tiles, ...)`."""
        raise NotImplementedError


class _Inputs(_End):
    """An axis is one product with a banded matrix, as its tiles overlap."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        self.others = [axis.inputs for axis in axes]
        super().__init__(axes, self.others)
        self.others[self.first] = np.eye(self.tiles)[None]
        self.folded = len(axes[0].kernel) if axes[0].folded else 1
        count = len(axes)
        points, tiles = [2 * i + 1 for i in range(count)], [2 * i + 2 for i in range(count)]
        inner = [points.pop(0)] if axes[0].folded else []
        # From (batch, points, tiles, points, tiles, ..., channels); a folded axis' are channels.
        self.order = [*points, 0, *tiles, *inner, 2 * count + 1]
        self.pairs = [-1, *(n for matrix in self.others for n in matrix.shape[:2])]

    def at(self, values: tf.Tensor, point: tf.Tensor) -> tf.Tensor:
        channels = inner = values.shape[-1]
        x = values[point]
        for matrix in self.others[::-1]:
            points, tiles, length = matrix.shape
            if points > 1:
                x = tf.matmul(_plane(matrix), tf.reshape(x, (-1, length, inner)))
            inner *= points * tiles
        x = tf.transpose(tf.reshape(x, (*self.pairs, channels)), self.order)
        points = math.prod(map(len, self.others)) // self.folded
        return tf.reshape(x, (points, -1, self.folded * channels))

    def back(self, values: tf.Tensor) -> tf.Tensor:
        channels = values.shape[-1] // self.folded
        x = tf.reshape(values, [[*self.pairs, channels][place] for place in self.order])
        x = tf.transpose(x, np.argsort(self.order))
        inner = channels * math.prod(self.pairs[1:])
        for matrix in self.others:
            points, tiles, _ = matrix.shape
            inner //= points * tiles
            if points > 1:
                x = tf.reshape(x, (-1, points * tiles, inner))
                x = tf.matmul(_plane(matrix), x, transpose_a=True)
        return tf.reshape(x, (-1, *(matrix.shape[2] for matrix in self.others), channels))


class _Outputs(_End):
    """All axes are one product with a small matrix, tile by tile."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        super().__init__(axes, [axis.all_outputs for axis in axes])
        own = [axis.outputs for axis in axes]
        own[self.first] = np.ones((1, 1))
        self.small = functools.reduce(np.kron, own).astype(np.float32)  # (points, outputs)
        self.sizes, self.counts = [m.shape[1] for m in own], [axis.tiles for axis in axes]
        count = len(axes)
        # From (batch, tiles, outputs, tiles, outputs, ..., channels).
        self.order = [2 * i + 2 for i in range(count)] + [0]
        self.order += [2 * i + 1 for i in range(count)] + [2 * count + 1]

    def at(self, values: tf.Tensor, point: tf.Tensor) -> tf.Tensor:
        channels = values.shape[-1]
        pairs = [n for pair in zip(self.counts, self.sizes, strict=True) for n in pair]
        x = tf.transpose(tf.reshape(values[point], (-1, *pairs, channels)), self.order)
        x = tf.matmul(tf.constant(self.small), tf.reshape(x, (math.prod(self.sizes), -1)))
        return tf.reshape(x, (x.shape[0], -1, channels))

    def back(self, values: tf.Tensor) -> tf.Tensor:
        channels = values.shape[-1]
        x = tf.reshape(values, (self.small.shape[0], -1))
        x = tf.matmul(tf.constant(self.small), x, transpose_a=True)
        x = tf.reshape(x, (*self.sizes, -1, *self.counts, channels))
        x = tf.transpose(x, np.argsort(self.order))
        lengths = [a * b for a, b in zip(self.counts, self.sizes, strict=True)]
        return tf.reshape(x, (-1, *lengths, channels))


class _Kernels:
    """Kernels of a shape at one point of the first axis that is not folded, all of the others."""

    def __init__(self, shape: Sequence[int], axes: Sequence[Axis]) -> None:
        count, folded = len(axes), int(axes[0].folded)
        own = [axis.kernel for axis in axes[folded:]]
        joined = functools.reduce(np.kron, own).reshape(len(own[0]), -1, TAPS ** len(own))
        self.matrices = tf.constant(joined, tf.float32)  # (points, points of the others, taps)
        self.order = [*range(folded, count), *range(folded), count, count + 1]
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


def _at_once(channels: Sequence[int], axes: Sequence[Axis]) -> int:
    """Rows of a batch whose values at the points are in memory together."""
    inputs = math.prod(math.prod(axis.inputs.shape[:2]) for axis in axes)
    outputs = math.prod(len(axis.outputs) * axis.tiles for axis in axes)
    return max(1, ELEMENTS_AT_ONCE // (inputs * channels[0] + outputs * channels[1]))


def _plane(matrix: np.ndarray) -> tf.Tensor:
    """`(points * tiles, length)`."""
    return tf.constant(matrix.reshape(-1, matrix.shape[2]), tf.float32)
