"""Convolutions of frames and videos, and FIR resampling, by operations that CPUs do fast."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from hvp.layers import toom_cook, winograd

BLUR = (1.0, 3.0, 3.0, 1.0)


def convolve(
    x: tf.Tensor, kernel: tf.Tensor, strides: tuple[int, ...], blur: bool = False
) -> tf.Tensor:
    """A convolution of frames or videos whose output has `1 / strides` of the input's size.

    Args:
        x: `(batch, [time,] height, width, channels)`.
        kernel: `([time,] height, width, channels, filters)`, of one tap or three an axis.
        strides: one an axis. Height and width are halved only with `blur` or by one tap.
        blur: filter height and width by `BLUR` before. Where time is halved too, it is padded
            behind only, as in the original; otherwise all axes are on either side.
    """
    pad = kernel.shape[0] // 2
    axes = _winograd_axes(x, kernel, strides, blur)
    if axes:
        return winograd.convolve(x, kernel, axes)
    if blur:
        x = resample(x, 2, 2)
    padding = "VALID" if blur else "SAME"
    if len(strides) == 2:
        return tf.nn.conv2d(x, kernel, strides, padding)
    before, after = (0, 2 * pad) if strides[0] == 2 else (pad, pad)
    return _convolve_videos(x, kernel, strides, (before, after), padding)


def convolve_doubling(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """A transposed convolution of stride 2, its result filtered by `BLUR`.

    Args:
        x: frames `(batch, height, width, channels)`.
        kernel: `(3, 3, channels, filters)`.

    Returns:
        `(batch, 2 * height, 2 * width, filters)`.
    """
    height, width = x.shape[1:3]
    kernel = tf.transpose(kernel, (0, 1, 3, 2))
    axes = _halved_axes(x, kernel, x.shape[0], (2 * height, 2 * width))
    if axes:
        return winograd.convolve(x, kernel, axes, transposed=True) * 4.0
    shape = (tf.shape(x)[0], 2 * height + 1, 2 * width + 1, kernel.shape[2])
    y = tf.nn.conv2d_transpose(x, kernel, shape, 2, padding="VALID")
    return resample(y, 1, 1) * 4.0


def _winograd_axes(
    x: tf.Tensor, kernel: tf.Tensor, strides: tuple[int, ...], blur: bool
) -> list[toom_cook.Axis] | None:
    """How to convolve with fewer multiplications; `None` where that is no faster."""
    lengths = x.shape[1:-1]
    if set(kernel.shape[:-2]) != {toom_cook.TAPS} or None in lengths:
        return None
    if not blur:
        return winograd.same_axes(x, kernel.shape) if set(strides) == {1} else None
    if len(strides) == 2:
        return _halved_axes(x, kernel, x.shape[0], lengths)
    time = toom_cook.direct(lengths[0], toom_cook.TAPS, strides[0], 2 - strides[0])
    frames = (x.shape[0] or 1) * time.tiles
    axes = _halved_axes(x, kernel, frames, lengths[1:])
    return axes and [time, *axes]


def _halved_axes(
    x: tf.Tensor, kernel: tf.Tensor, frames: int | None, lengths: Sequence[int]
) -> list[toom_cook.Axis] | None:
    """Height and width of `lengths`, filtered by `BLUR` and halved."""
    if any(length % 2 for length in lengths) or not _pays(
        x, kernel, frames, [length // 2 for length in lengths]
    ):
        return None
    return [toom_cook.halved(_fir_matrix(length, 1, 2, 2, 1)) for length in lengths]


def _pays(x: tf.Tensor, kernel: tf.Tensor, batch: int | None, outputs: Sequence[int]) -> bool:
    channels, filters = kernel.shape[-2:]
    return x.dtype == tf.float32 and winograd.pays(channels, filters, batch, outputs)


def _convolve_videos(
    x: tf.Tensor,
    kernel: tf.Tensor,
    strides: tuple[int, ...],
    pad: tuple[int, int],
    padding: str,
) -> tf.Tensor:
    """A 3-D convolution as a 2-D one of frames whose neighbours in time are further channels.

    As fast in float32, and faster in bfloat16, in which on CPUs TensorFlow 2.21's gradient of a
    3-D convolution's kernel has NaNs.

    Args:
        x: `(batch, time, height, width, channels)`.
        kernel: `(time, height, width, channels, filters)`.
        strides: of time, height, width.
        pad: zeros before and after in time.
        padding: of height and width, `SAME` or `VALID`.
    """
    size, stride = kernel.shape[0], strides[0]
    length = (tf.shape(x)[1] if x.shape[1] is None else x.shape[1]) + sum(pad)
    time = (length - size) // stride + 1
    x = tf.pad(x, ((0, 0), (pad[0], pad[1] + -length % stride), (0, 0), (0, 0), (0, 0)))
    # One sequence a phase, and time first: strided slices, and those of inner axes, are slow.
    phases = tf.reshape(x, (-1, (length + stride - 1) // stride, stride, *x.shape[2:]))
    phases = [tf.transpose(phase, (1, 0, 2, 3, 4)) for phase in tf.unstack(phases, axis=2)]
    taps = [
        tf.slice(phases[i % stride], (i // stride, 0, 0, 0, 0), (time, -1, -1, -1, -1))
        for i in range(size)
    ]
    height, width, channels = x.shape[2:]
    frames = tf.reshape(tf.concat(taps, axis=-1), (-1, height, width, size * channels))
    kernel = tf.transpose(kernel, (1, 2, 0, 3, 4))
    kernel = tf.reshape(kernel, (*kernel.shape[:2], -1, kernel.shape[-1]))
    y = tf.nn.conv2d(frames, kernel, strides[1:], padding)
    return tf.transpose(tf.reshape(y, (time, -1, *y.shape[1:])), (1, 0, 2, 3, 4))


@functools.lru_cache(maxsize=64)
def _fir_matrix(size: int, up: int, before: int, after: int, down: int) -> np.ndarray:
    """`(out, in)`: insert zeros, pad, filter by `BLUR` and drop samples, along one axis."""
    kernel = np.array(BLUR) / sum(BLUR) * up
    spread = np.zeros((size * up + before + after, size))
    spread[before + up * np.arange(size), np.arange(size)] = 1
    rows = range(0, len(spread) - len(BLUR) + 1, down)
    return np.stack([kernel @ spread[row : row + len(BLUR)] for row in rows]).astype(np.float32)


def resample(x: tf.Tensor, before: int, after: int, up: int = 1, down: int = 1) -> tf.Tensor:
    """Filters height and width by [1, 3, 3, 1] / 8, with zeros inserted or samples dropped.

    Done as products with banded matrices, which fit CPU and GPU and can be differentiated twice.

    Args:
        x: `(..., height, width, channels)`.
        before, after: zeros around each axis, after those inserted by `up`.
        up: keeps one sample of `up`, zeros between them, and multiplies by `up` an axis.
        down: keeps every `down`-th sample.

    Returns:
        `(..., (height * up + before + after - 3) / down, the same of width, channels)`.
    """
    *lead, height, width, channels = x.shape
    rows = tf.constant(_fir_matrix(height, up, before, after, down), x.dtype)
    columns = tf.constant(_fir_matrix(width, up, before, after, down), x.dtype)
    x = tf.matmul(rows, tf.reshape(x, (-1, height, width * channels)))
    x = tf.reshape(x, (-1, width, channels))
    x = tf.matmul(columns, x)
    lead = [-1 if size is None else size for size in lead]
    return tf.reshape(x, (*lead, rows.shape[0], columns.shape[0], channels))
