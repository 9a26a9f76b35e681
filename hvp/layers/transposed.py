"""Transposed convolutions by the algorithm that is fastest for their shape."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import layers

from hvp.layers.custom_gradients import custom_gradient

FEW_FILTERS = 4  # up to which the direct algorithm is slow


class DoublingConvolution(layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` of stride 2 without padding, with the same variables.

    What grows a single pixel is a product with the kernel. What gives few channels is a
    convolution that computes the four pixels of every 2x2 block as its channels.

    Args:
        filters, kernel_size, activation: as of Keras' layer.

    Maps `(n, height, width, c)` to `(n, 2 (height - 1) + kernel, 2 (width - 1) + kernel, filters)`.
    """

    def __init__(
        self, filters: int, kernel_size: int, activation: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(
            filters,
            kernel_size,
            strides=2,
            padding="valid",
            use_bias=True,
            activation=activation,
            **kwargs,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; Keras' layer would name those that are fixed here too."""
        config = super().get_config()
        own = ("name", "trainable", "dtype", "filters", "kernel_size", "activation")
        return {name: config[name] for name in own}

    def call(self, x: tf.Tensor) -> tf.Tensor:
        kernel, bias = tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias)
        if x.shape[1:3] == (1, 1):
            y = _grow_pixel(x, kernel)
        elif self.filters <= FEW_FILTERS and self.kernel_size[0] % 2 == 0:
            y = _grow_in_blocks(x, kernel)
        else:
            y = _grow(x, kernel)
        return self.activation(tf.nn.bias_add(y, bias))


def _grow(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return tf.nn.conv2d_transpose(x, kernel, _grown_shape(x, kernel), 2, "VALID")


def _grown_shape(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    size, _, filters, _ = kernel.shape
    height, width = x.shape[1:3]
    return tf.stack([tf.shape(x)[0], 2 * (height - 1) + size, 2 * (width - 1) + size, filters])


def _grow_pixel(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Of `(n, 1, 1, c)` and a kernel `(k, k, filters, c)`, `(n, k, k, filters)`."""
    *out, channels = kernel.shape
    rows, columns = tf.reshape(x, (-1, channels)), tf.reshape(kernel, (-1, channels))
    return tf.reshape(tf.matmul(rows, columns, transpose_b=True), (-1, *out))


@custom_gradient
def _grow_in_blocks(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, object]:
    """The same as `_grow` for even kernels.

    Pixel 2 q + p of an axis, p in {0, 1}, is the sum over j of input q - j times tap 2 j + p.
    """
    size, _, filters, channels = kernel.shape
    taps = size // 2
    split = tf.reshape(kernel, (taps, 2, taps, 2, filters, channels))
    split = tf.transpose(split[::-1, :, ::-1], (0, 2, 5, 1, 3, 4))
    blocks = tf.reshape(split, (taps, taps, channels, 4 * filters))
    margin = (taps - 1, taps - 1)
    y = tf.nn.conv2d(x, blocks, 1, ((0, 0), margin, margin, (0, 0)))

    def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        dx = tf.nn.conv2d(dy, kernel, 2, "VALID")
        dkernel = tf.raw_ops.Conv2DBackpropFilter(
            input=dy,
            filter_sizes=kernel.shape,
            out_backprop=x,
            strides=(1, 2, 2, 1),
            padding="VALID",
        )
        return dx, dkernel

    return tf.nn.depth_to_space(y, 2), gradient
