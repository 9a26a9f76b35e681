"""Convolutions in PyTorch's geometry, for ports that must agree with it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from hvp.layers.initial_values import pytorch_values

NORM_EPSILON = 1e-5  # PyTorch's default, of batch, group and layer normalisation


class BatchNormalization(layers.BatchNormalization):
    """Batch normalisation whose moving variance is of unbiased estimates, as PyTorch's.

    A batch is normalised by its biased variance. Channels are the last axis; there is no mask.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, groups: int = 1) -> tf.Tensor:
        """Normalises; while training, each of `groups` equal parts of the batch by itself.

        The moving values take in one part after the other.
        """
        if not (training and self.trainable):
            return super().call(inputs, training=False)
        x = tf.cast(inputs, tf.float32)
        parts = tf.reshape(x, (groups, -1, *x.shape[1:]))  # (groups, batch / groups, ...)
        axes = list(range(1, parts.shape.rank - 1))
        mean, variance = keras.ops.moments(
            parts, axes, keepdims=True, synchronized=self.synchronized
        )
        count = tf.cast(tf.size(x) / tf.shape(x)[-1] / groups, tf.float32)
        if self.synchronized:
            count *= tf.distribute.get_replica_context().num_replicas_in_sync
        unbiased = variance * count / tf.maximum(count - 1.0, 1.0)
        # A part counts less the more there are after it.
        shares = (1.0 - self.momentum) * self.momentum ** np.arange(groups - 1.0, -1.0, -1.0)
        shares = shares.reshape(groups, *[1] * (len(axes) + 1)).astype(np.float32)
        for moving, values in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
            new = tf.reduce_sum(values * shares, (0, *axes))
            moving.assign(moving * self.momentum**groups + new)
        y = tf.nn.batch_normalization(parts, mean, variance, self.beta, self.gamma, self.epsilon)
        return tf.cast(tf.reshape(y, tf.shape(x)), self.compute_dtype)


def batch_norm(name: str, **kwargs: Any) -> BatchNormalization:
    """Batch normalisation with PyTorch's momentum, epsilon and moving variance."""
    return BatchNormalization(momentum=0.9, epsilon=NORM_EPSILON, name=name, **kwargs)


class Convolution(layers.Layer):
    """A 2-D convolution whose zero padding is (kernel - 1) / 2 on both sides, at any stride.

    TensorFlow's SAME pads strided convolutions at the end only. Odd kernels.

    Maps `(batch, height, width, c)` to `(batch, ceil(height / stride), ceil(width / stride), n)`.

    Args:
        filters, kernel, stride, bias: as of `Conv2D`.
        initial: initialisers; `pytorch_values()` by default.
    """

    def __init__(
        self,
        filters: int,
        kernel: int,
        stride: int = 1,
        bias: bool = True,
        initial: dict[str, Any] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, received {kernel}")
        self.padding = (kernel - 1) // 2 if stride > 1 else 0  # at stride 1 SAME is symmetric
        self.convolution = layers.Conv2D(
            filters,
            kernel,
            strides=stride,
            padding="valid" if stride > 1 else "same",
            use_bias=bias,
            name="convolution",
            **(pytorch_values() if initial is None else initial),
        )

    def call(self, x: tf.Tensor) -> tf.Tensor:
        p = self.padding
        if p:
            x = tf.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
        return self.convolution(x)


class TransposedConvolution(layers.Layer):
    """A transposed convolution that multiplies height and width by `stride` exactly.

    PyTorch's with padding (kernel - 1) / 2 and output padding stride // 2. Odd kernels.
    """

    def __init__(self, filters: int, kernel: int, stride: int, **kwargs):
        super().__init__(**kwargs)
        if kernel % 2 == 0 or stride not in (1, 2):
            raise ValueError(
                f"kernel must be odd and stride 1 or 2, received {kernel} and {stride}"
            )
        self.kernel_size, self.stride = kernel, stride
        self.convolution = layers.Conv2DTranspose(
            filters,
            kernel,
            strides=stride,
            padding="same" if stride == 1 else "valid",
            name="convolution",
            **pytorch_values(),
        )

    def call(self, x: tf.Tensor) -> tf.Tensor:
        height, width = x.shape[1] * self.stride, x.shape[2] * self.stride
        x = self.convolution(x)  # at stride 2 (batch, (height - 1) * stride + kernel, ...)
        if self.kernel_size < self.stride:
            x = tf.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))
        if self.stride == 1:
            return x
        p = (self.kernel_size - 1) // 2
        # Not by indices, whose gradient takes ten times as long as this one's padding.
        return tf.slice(x, (0, p, p, 0), (-1, height, width, -1))
