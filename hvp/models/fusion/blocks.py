"""Stages of both U-Nets, with the accompanying convolution, and the sharpening step.

The paper speaks of "an accompanying convolution model and corresponding algorithm for improving
image sharpness" and publishes neither. What is here is our reading.
"""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers

from hvp.layers.normalisation import batch_norm

LEAKY_SLOPE = 0.2
BLUR = 3  # pixels of the box


def leaky_relu(x: tf.Tensor) -> tf.Tensor:
    return tf.maximum(x, LEAKY_SLOPE * x)


def high_frequencies(x: tf.Tensor) -> tf.Tensor:
    """`x` minus its blurred self, in height and width: `(..., height, width, channels)`."""
    images = tf.reshape(x, (-1, *x.shape[-3:]))
    blurred = tf.nn.avg_pool2d(images, BLUR, strides=1, padding="SAME")
    return x - tf.reshape(blurred, tf.shape(x))


def unsharp(frames: tf.Tensor, amount: float) -> tf.Tensor:
    """Adds `amount` times the high frequencies to frames in [0, 1], and clips."""
    if not amount:
        return frames
    return tf.clip_by_value(frames + amount * high_frequencies(frames), 0.0, 1.0)


class Stage(layers.Layer):
    """A convolution with an optional accompanying one, normalisation and activation.

    The accompanying convolution sees the high frequencies of the input and its output is added to
    the main one's. It is cheap: its kernel is as wide as the stride, 1 where there is none.

    Maps `(batch, [time,] height, width, c)` to `filters` channels, at each side divided by its
    stride and rounded up, or, transposed, multiplied by it.

    Args:
        strides: one an axis, two for images and three for videos.
        kernel: one number for all axes.
        transposed: a transposed convolution.
        accompanying: whether there is an accompanying convolution.
        norm: batch normalisation.
    """

    def __init__(
        self,
        filters: int,
        strides: tuple[int, ...],
        *,
        kernel: int = 3,
        transposed: bool = False,
        accompanying: bool = False,
        norm: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        kind = {
            (2, False): layers.Conv2D,
            (2, True): layers.Conv2DTranspose,
            (3, False): layers.Conv3D,
            (3, True): layers.Conv3DTranspose,
        }[len(strides), transposed]
        policy = self.dtype_policy
        shared = {"filters": filters, "strides": strides, "padding": "same", "dtype": policy}
        self.main = kind(kernel_size=kernel, use_bias=not norm, name="main", **shared)
        self.accompanying = None
        if accompanying:
            self.accompanying = kind(
                kernel_size=strides, use_bias=False, name="accompanying", **shared
            )
        self.norm = batch_norm("norm", dtype=policy) if norm else None

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        y = self.main(x)
        if self.accompanying is not None:
            y = y + self.accompanying(high_frequencies(x))
        if self.norm is not None:
            y = self.norm(y, training=training)
        return y


def crop_to(x: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Cuts what a transposed convolution has beyond a skip connection of odd size."""
    if x.shape[1:-1] == like.shape[1:-1]:
        return x
    return x[(slice(None), *(slice(size) for size in like.shape[1:-1]))]


def stages_that_fit(height: int, width: int, wanted: int, least: int = 2) -> int:
    """How many of `wanted` halvings leave at least `least` pixels on the shorter side."""
    side, count = min(height, width), 0
    while count < wanted and -(-side // 2) >= least:
        side, count = -(-side // 2), count + 1
    return count


def to_float32(x: tf.Tensor) -> tf.Tensor:
    """Out of reduced precision, before losses and logits."""
    return keras.ops.cast(x, "float32")
