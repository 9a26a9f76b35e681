"""Neighbourhood sums whose weights are generated at each pixel: the sums of involutions.

Weights are products of `hidden` features and a matrix, which TensorFlow computes; the sums are
compiled by XLA. The gradient reads the same weights, which are kept for it, from each pixel's
neighbours; unfolded neighbourhoods, with as many numbers as weights for each of the channels that
share one, are never made.

Inside, images are `(batch, groups, height, c, width)`: XLA vectorises along the last axis, and the
`c` channels that share a weight are in reach of each other. The transposition into that order is
TensorFlow's, outside of the compiled functions: XLA would read the untransposed images instead,
from afar. Their indices are written as XLA vectorises them: one slice a term.
"""

from __future__ import annotations

from functools import partial

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
        weights: tf.Tensor,
        dy: tf.Tensor,
    ) -> Gradients:
        return _backward(x, hidden, matrix, weights, dy, groups, size)

    return with_gradient(forward, backward, (x, hidden, matrix, bias))


def _forward(
    x: tf.Tensor, hidden: tf.Tensor, matrix: tf.Tensor, bias: tf.Tensor, groups: int, size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The sums, and the weights as `_sum` reads them."""
    height, width = x.shape[1:3]
    features = tf.concat([hidden, tf.ones_like(hidden[..., :1])], axis=-1)  # the bias' is 1
    features = tf.reshape(features, (-1, height * width, features.shape[-1]))
    lines = _lines(tf.concat([matrix, bias[None]], axis=0), groups, size)
    before = _lines_before(size, height, width)
    lines = tf.pad(lines, [[0, 0], [before, before + size - 1]])
    weights = _product(lines[None], features, transpose_a=True, transpose_b=True)
    return _summed(_group_major(x, groups), weights, size, of_neighbours=False), weights


def _backward(
    x: tf.Tensor,
    hidden: tf.Tensor,
    matrix: tf.Tensor,
    weights: tf.Tensor,
    dy: tf.Tensor,
    groups: int,
    size: int,
) -> Gradients:
    dy = _group_major(dy, groups)
    dx = _summed(dy, weights, size, of_neighbours=True)
    dweights = _correlate(_with_margins(_group_major(x, groups), size), dy, hidden.dtype)
    dhidden = tf.transpose(_product(_lines(matrix, groups, size)[None], dweights), (0, 2, 1))
    features = tf.reshape(hidden, (-1, dweights.shape[-1], hidden.shape[-1]))
    dmatrix = tf.reduce_sum(tf.cast(_product(dweights, features), tf.float32), axis=0)
    dbias = tf.reduce_sum(tf.cast(dweights, tf.float32), axis=(0, 2))[:, None]
    dmatrix, dbias = (tf.cast(_unlined(x, groups, size), hidden.dtype) for x in (dmatrix, dbias))
    return dx, tf.reshape(dhidden, tf.shape(hidden)), dmatrix, dbias[0]


def _lines(matrix: tf.Tensor, groups: int, size: int) -> tf.Tensor:
    """`(features, groups * row * column)` as `(features, column * groups * row)`."""
    split = tf.reshape(matrix, (-1, groups, size, size))
    return tf.reshape(tf.transpose(split, (0, 3, 1, 2)), (split.shape[0], -1))


def _unlined(x: tf.Tensor, groups: int, size: int) -> tf.Tensor:
    """`(column * groups * row, features)` as `(features, groups * row * column)`."""
    split = tf.transpose(tf.reshape(x, (size, groups, size, -1)), (3, 1, 2, 0))
    return tf.reshape(split, (x.shape[-1], -1))


def _lines_before(size: int, height: int, width: int) -> int:
    """How many lines of `height * width` pixels a neighbour before the first may lie away."""
    return -(-(size // 2) * (width + 1) // (height * width))


def _product(a: tf.Tensor, b: tf.Tensor, **transposed: bool) -> tf.Tensor:
    """`a @ b` of batches of matrices.

    On a CPU, TensorFlow multiplies two matrices up to a quarter faster than a batch of one pair.
    """
    if a.shape[0] == b.shape[0] == 1:
        return tf.matmul(a[0], b[0], **transposed)[None]
    return tf.matmul(a, b, **transposed)


def _summed(x: tf.Tensor, weights: tf.Tensor, size: int, of_neighbours: bool) -> tf.Tensor:
    """`_sum` of `(batch, groups, h, c, w)` as `(batch, h, w, channels)`."""
    # XLA does not read slices of bfloat16: it would make float32 of all of it, and then again.
    weights = tf.cast(weights, x.dtype)
    return _channels_last(_sum(_with_margins(x, size), weights, size, of_neighbours))


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
def _sum(padded: tf.Tensor, weights: tf.Tensor, size: int, of_neighbours: bool) -> tf.Tensor:
    """The sum over all offsets of `padded` times weights, one kernel row at a time.

    Args:
        padded: `(batch, groups, h + size - 1, c, w + size - 1)`.
        weights: `(batch, lines, h * w)`, a line for each column, group and row of the kernels,
            between lines of zeros.
        size: of the kernels.
        of_neighbours: whether what a pixel receives from a neighbour is weighted as the neighbour
            weights this pixel: the transposed sum.

    Returns:
        `(batch, groups, h, c, w)`.
    """
    groups, c = padded.shape[1], padded.shape[3]
    height, width = padded.shape[2] - size + 1, padded.shape[4] - size + 1
    batch, pixels, reach = padded.shape[0] or tf.shape(padded)[0], height * width, size // 2
    before = _lines_before(size, height, width)
    # In one piece, from which any pixel's neighbour can be read by an offset. What lies beyond a
    # row's end meets the zeros around `padded`.
    weights = tf.reshape(weights, (batch, weights.shape[1] * pixels))

    def add_row(row: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        zero = tf.zeros((), row.dtype)
        for column in range(size):
            begin = tf.stack([zero, zero, row, zero, zero + column])
            image = tf.slice(padded, begin, (batch, groups, height, c, width))
            if of_neighbours:  # whose offset to this pixel counts from the kernel's other end
                line = before + (size - 1 - column) * groups * size + size - 1 - row
                begin = line * pixels + (row - reach) * width + column - reach
            else:
                begin = (before + column * groups * size + row) * pixels
            lines = tf.slice(weights, tf.stack([zero, begin]), (batch, groups * size * pixels))
            weight = tf.reshape(lines, (batch, groups, size, pixels))[:, :, 0]
            weight = tf.reshape(weight, (batch, groups, height, 1, width))
            total += image * weight
        return row + 1, total

    # Of large images there are more weights than 32 bits count.
    start = (tf.constant(0, tf.int64), tf.zeros((batch, groups, height, c, width)))
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
