"""Neighbourhood sums whose weights are generated at each pixel: the sums of involutions.

Weights are products of `hidden` features and a matrix, which TensorFlow computes; the sums are
compiled by XLA. Neither the unfolded neighbourhoods, `size**2` times the input, nor the weights
are kept for the gradient, which computes the weights anew.

Inside, images are `(batch, groups, height, c, width)`: XLA vectorises along the last axis, and the
`c` channels that share a weight are in reach of each other. The transposition into that order is
TensorFlow's, outside of the compiled functions: XLA would read the untransposed images instead,
from afar. Their indices are written as XLA vectorises them: one slice a term.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import tensorflow as tf

from hvp.layers.first_order import with_gradient

Gradients = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]


def generated_sum(
    x: tf.Tensor, hidden: tf.Tensor, matrix: tf.Tensor, bias: tf.Tensor, groups: int
) -> tf.Tensor:
    """Sums each pixel's zero-padded neighbourhood with weights `hidden @ matrix + bias`.

    Args:
        x: `(batch, height, width, channels)`, float32, as the sums are.
        hidden: `(batch, height, width, features)`; in the type of this, the matrix and the bias
            weights are generated.
        matrix: `(features, groups * size**2)`, groups first, then rows, then columns.
        bias: `(groups * size**2,)`.
        groups: consecutive channels that share weights.

    Returns:
        The shape of `x`.
    """
    size = round((matrix.shape[-1] // groups) ** 0.5)
    forward = partial(_forward, groups=groups, size=size)

    def backward(
        x: tf.Tensor,
        hidden: tf.Tensor,
        matrix: tf.Tensor,
        bias: tf.Tensor,
        _: tf.Tensor,
        dy: tf.Tensor,
    ) -> Gradients:
        return _backward(x, hidden, matrix, bias, dy, groups, size)

    return with_gradient(forward, backward, (x, hidden, matrix, bias))


def _forward(
    x: tf.Tensor, hidden: tf.Tensor, matrix: tf.Tensor, bias: tf.Tensor, groups: int, size: int
) -> tf.Tensor:
    features, pixels = _with_one(hidden), x.shape[1] * x.shape[2]
    flat = tf.reshape(features, (-1, 1, pixels, features.shape[-1]))
    by_row = _by_row(_split(matrix, bias, groups, size))
    weights = tf.matmul(by_row, flat, transpose_a=True, transpose_b=True)
    weights = tf.reshape(weights, (-1, size, groups, size, pixels))
    return _channels_last(_sum(_with_margins(_group_major(x, groups), size), weights))


def _backward(
    x: tf.Tensor,
    hidden: tf.Tensor,
    matrix: tf.Tensor,
    bias: tf.Tensor,
    dy: tf.Tensor,
    groups: int,
    size: int,
) -> Gradients:
    height, width = x.shape[1:3]
    split = _split(matrix, bias, groups, size)
    features = _with_one(hidden)
    flat = tf.reshape(features, (-1, height * width, features.shape[-1]))
    dy = _group_major(dy, groups)
    # What pixel q receives with weight (i, j) comes from pixel q - (i, j) + padding: the sum of
    # dy's neighbourhoods, whose weights are those of the neighbour, counted from the other end.
    # Pixels lie in one line: what is read beyond a row's end meets the zeros around dy.
    margin, length = size // 2 * (width + 1), height * width + size - 1
    padded = tf.pad(flat, [[0, 0], [margin, margin], [0, 0]])
    rows = tf.gather(padded, width * np.arange(size)[:, None] + np.arange(length), axis=1)
    by_row = _by_row(tf.reverse(split, (2, 3)))
    weights = tf.matmul(by_row, rows, transpose_a=True, transpose_b=True)
    weights = tf.reshape(weights, (-1, size, groups, size, length))
    dx = _channels_last(_sum(_with_margins(dy, size), weights))

    dweights = _correlate(_with_margins(_group_major(x, groups), size), dy, hidden.dtype)
    by_column = tf.reshape(tf.transpose(split, (3, 1, 2, 0)), (-1, features.shape[-1]))
    dhidden = tf.matmul(dweights, by_column[:, :-1], transpose_a=True)
    dmatrix = tf.matmul(dweights, flat)  # of each example
    dmatrix = tf.cast(tf.reduce_sum(tf.cast(dmatrix, tf.float32), axis=0), hidden.dtype)
    dmatrix = tf.transpose(tf.reshape(dmatrix, (size, groups, size, -1)), (3, 1, 2, 0))
    dmatrix = tf.reshape(dmatrix, (features.shape[-1], -1))
    return dx, tf.reshape(dhidden, tf.shape(hidden)), dmatrix[:-1], dmatrix[-1]


def _with_one(hidden: tf.Tensor) -> tf.Tensor:
    """A last feature of 1, whose row of the matrix is the bias: 0 where padded, as weights are."""
    return tf.concat([hidden, tf.ones_like(hidden[..., :1])], axis=-1)


def _split(matrix: tf.Tensor, bias: tf.Tensor, groups: int, size: int) -> tf.Tensor:
    """`(features + 1, groups, row, column)`."""
    return tf.reshape(tf.concat([matrix, bias[None]], axis=0), (-1, groups, size, size))


def _by_row(split: tf.Tensor) -> tf.Tensor:
    """`(row, features + 1, groups * column)`."""
    features, _, size, _ = split.shape
    return tf.reshape(tf.transpose(split, (2, 0, 1, 3)), (size, features, -1))


def _with_margins(x: tf.Tensor, size: int) -> tf.Tensor:
    """`(batch, groups, h, c, w)` with `size // 2` zeros on either side of height and width."""
    margin = [size // 2] * 2
    return tf.pad(x, [[0, 0], [0, 0], margin, [0, 0], margin])


def _group_major(x: tf.Tensor, groups: int) -> tf.Tensor:
    """`(batch, h, w, channels)` as `(batch, groups, h, c, w)`."""
    height, width, channels = x.shape[1:]
    x = tf.reshape(x, (-1, height, width, groups, channels // groups))
    return tf.transpose(x, (0, 3, 1, 4, 2))


def _channels_last(x: tf.Tensor) -> tf.Tensor:
    """The inverse of `_group_major`."""
    _, groups, height, c, width = x.shape
    return tf.reshape(tf.transpose(x, (0, 2, 4, 1, 3)), (-1, height, width, groups * c))


@tf.function(jit_compile=True, autograph=False)
def _sum(padded: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The sum over all offsets of `padded` times weights, one kernel row at a time.

    Args:
        padded: `(batch, groups, h + size - 1, c, w + size - 1)`.
        weights: `(batch, row, groups, column, h * w)`, or `size - 1` longer: then column `j`
            counts from `j` on.

    Returns:
        `(batch, groups, h, c, w)`.
    """
    _, size, groups, _, length = weights.shape
    height, c, width = padded.shape[2] - size + 1, padded.shape[3], padded.shape[4] - size + 1
    batch = padded.shape[0] or tf.shape(padded)[0]

    def add_row(row: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        for column in range(size):
            begin = tf.stack([0, 0, row, 0, column])
            image = tf.slice(padded, begin, (batch, groups, height, c, width))
            begin = tf.stack([0, row, 0, column, column if length > height * width else 0])
            weight = tf.slice(weights, begin, (batch, 1, groups, 1, height * width))
            weight = tf.cast(weight, image.dtype)
            total += image * tf.reshape(weight, (batch, groups, height, 1, width))
        return row + 1, total

    start = (tf.constant(0), tf.zeros((batch, groups, height, c, width)))
    return tf.while_loop(lambda row, _: row < size, add_row, start, maximum_iterations=size)[1]


@tf.function(jit_compile=True, autograph=False)
def _correlate(padded: tf.Tensor, dy: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """The weights' gradient: `padded` at every offset times `dy`, summed over a group's channels.

    Args:
        padded: `(batch, groups, h + size - 1, c, w + size - 1)`.
        dy: `(batch, groups, h, c, w)`.
        dtype: of the result.

    Returns:
        `(batch, column * groups * row, h * w)`.
    """
    _, groups, height, c, width = dy.shape
    rows, columns = padded.shape[2], padded.shape[4]
    size = rows - height + 1
    # The windows along the height: copies of all rows, read in lines of one row more, so that each
    # copy begins a row later. XLA computes where to read.
    windows = tf.repeat(padded[:, :, None], size + 1, axis=2)
    windows = tf.reshape(windows, (-1, groups, (size + 1) * rows, c, columns))
    windows = windows[:, :, : size * (rows + 1)]
    windows = tf.reshape(windows, (-1, groups, size, rows + 1, c, columns))
    windows = windows[:, :, :, :height]
    by_column = [
        tf.reduce_sum(windows[..., j : j + width] * dy[:, :, None], axis=4) for j in range(size)
    ]
    by_column = [tf.cast(column, dtype) for column in by_column]
    return tf.reshape(tf.stack(by_column, axis=1), (-1, size * groups * size, height * width))
