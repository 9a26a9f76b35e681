"""Involution (Li et al., "Involution: Inverting the Inherence of Convolution", CVPR 2021)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import layers

from hvp.layers.convolution import batch_norm
from hvp.layers.initial_values import mmcv_values


class Involution(layers.Layer):
    """A neighbourhood sum whose kernel is generated at each pixel and shared within a group.

    Maps `(batch, height, width, channels)` to the same shape; zero padding.

    Args:
        kernel_size: odd, 1 to 21 in the papers.
        groups: number of channel groups that have a kernel of their own; 16 channels each by
            default.
        reduction: the kernel is generated through `channels // reduction` features.

    Example:
        >>> Involution(7)(np.zeros((2, 16, 16, 64), "float32")).shape
        TensorShape([2, 16, 16, 64])
    """

    def __init__(self, kernel_size: int, groups: int | None = None, reduction: int = 4, **kwargs):
        super().__init__(**kwargs)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd and positive, received {kernel_size}")
        self.kernel_size, self.groups, self.reduction = kernel_size, groups, reduction

    def build(self, shape: tuple[Any, ...]) -> None:
        channels = shape[-1]
        groups = channels // 16 if self.groups is None else self.groups
        if groups < 1 or channels % groups:
            raise ValueError(f"{channels} channels do not divide into {groups} groups")
        self.groups = groups
        hidden = channels // self.reduction
        outputs = self.kernel_size**2 * groups
        self.reduce = layers.Conv2D(hidden, 1, use_bias=False, name="reduce", **mmcv_values())
        self.norm = batch_norm("norm")
        self.span = layers.Conv2D(outputs, 1, name="span", **mmcv_values())
        self.reduce.build(shape)
        self.norm.build((*shape[:-1], hidden))
        self.span.build((*shape[:-1], hidden))
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        hidden = tf.nn.relu(self.norm(self.reduce(x), training=training))
        kernels = self.span(hidden)  # (batch, h, w, groups * kernel**2), group-major
        height, width, channels = x.shape[1:]
        kernels = tf.reshape(kernels, (-1, height, width, self.groups, self.kernel_size**2))
        grouped = tf.reshape(x, (-1, height, width, self.groups, channels // self.groups))
        result = neighbourhood_sum(grouped, kernels, self.kernel_size)
        return tf.reshape(result, (-1, height, width, channels))


def neighbourhood_sum(x: tf.Tensor, kernels: tf.Tensor, size: int) -> tf.Tensor:
    """Sums each pixel's zero-padded neighbourhood with the pixel's own weights.

    Compiled, one kernel row at a time, with a gradient that computes the shifted inputs anew: the
    unfolded patches, `size**2` times the input, are never in memory.

    Args:
        x: `(batch, height, width, groups, c)`.
        kernels: `(batch, height, width, groups, size**2)`, rows first.
        size: odd kernel size.

    Returns:
        The shape of `x`.
    """
    if size == 1:
        return x * kernels

    @tf.custom_gradient
    def forward(x: tf.Tensor, kernels: tf.Tensor) -> tuple[tf.Tensor, object]:
        # Without stop_gradient an eager tape would differentiate the compiled loop as well.
        result = _forward(tf.stop_gradient(x), tf.stop_gradient(kernels), size)
        return result, lambda dy: _backward(x, kernels, dy, size)

    return forward(x, kernels)


def _pad(x: tf.Tensor, size: int) -> tf.Tensor:
    p = size // 2
    return tf.pad(x, ((0, 0), (p, p), (p, p), (0, 0), (0, 0)))


def _rows(x: tf.Tensor, first: tf.Tensor, count: int) -> tf.Tensor:
    """`x[:, first : first + count]` for a row number that is known in the loop only."""
    begin = tf.stack([0, first, *[0] * (x.shape.rank - 2)])
    size = (tf.shape(x)[0], count, *x.shape[2:])
    return tf.slice(x, begin, size)


def _kernel_rows(kernels: tf.Tensor, size: int) -> tf.Tensor:
    """`(batch, h, w, groups, size**2)` as `(size, batch, h, w, groups, size)`, one row each."""
    split = tf.reshape(kernels, (-1, *kernels.shape[1:4], size, size))
    return tf.transpose(split, (4, 0, 1, 2, 3, 5))


@tf.function(jit_compile=True, autograph=False)
def _forward(x: tf.Tensor, kernels: tf.Tensor, size: int) -> tf.Tensor:
    height, width = x.shape[1:3]
    padded, rows = _pad(x, size), _kernel_rows(kernels, size)

    def add_row(row: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        line, weights = _rows(padded, row, height), rows[row]
        for column in range(size):
            total += line[:, :, column : column + width] * weights[..., column, None]
        return row + 1, total

    start = (tf.constant(0), tf.zeros_like(x))
    return tf.while_loop(lambda row, _: row < size, add_row, start, maximum_iterations=size)[1]


@tf.function(jit_compile=True, autograph=False)
def _backward(
    x: tf.Tensor, kernels: tf.Tensor, dy: tf.Tensor, size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    height, width = x.shape[1:3]
    padded, padded_dy = _pad(x, size), _pad(dy, size)
    # What pixel q receives through offset (i, j) comes from pixel q - (i, j) + padding.
    padded_rows = _kernel_rows(_pad(kernels, size), size)

    def add_row(
        row: tf.Tensor, dx: tf.Tensor, dkernels: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        line = _rows(padded, row, height)
        back = size - 1 - row
        line_dy, line_weights = (
            _rows(padded_dy, back, height),
            _rows(padded_rows[row], back, height),
        )
        dweights = []
        for column in range(size):
            shifted = line[:, :, column : column + width]
            dweights.append(tf.reduce_sum(shifted * dy, axis=-1))
            side = slice(size - 1 - column, size - 1 - column + width)
            dx += line_dy[:, :, side] * line_weights[:, :, side, :, column, None]
        return row + 1, dx, dkernels.write(row, tf.stack(dweights, axis=-1))

    gathered = tf.TensorArray(x.dtype, size=size, element_shape=(*x.shape[:4], size))
    start = (tf.constant(0), tf.zeros_like(x), gathered)
    _, dx, gathered = tf.while_loop(
        lambda row, *_: row < size, add_row, start, maximum_iterations=size
    )
    dkernels = tf.transpose(gathered.stack(), (1, 2, 3, 4, 0, 5))  # (batch, h, w, g, row, column)
    return dx, tf.reshape(dkernels, tf.shape(kernels))
