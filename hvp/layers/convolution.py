"""Convolutions in PyTorch's geometry, for ports that must agree with it."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import layers

from hvp.layers import winograd
from hvp.layers.initial_values import pytorch_values


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
        return self.convolution(x) if p else _at_stride_one(self.convolution, x)


class PointwiseConvolution(layers.Conv2D):
    """A 2-D convolution of kernel size 1, channels last, of known height and width, as a product.

    That makes the kernel's gradient a product too: in bfloat16 on a CPU in under half the time.

    Args:
        filters: channels of the result.
        kwargs: as of `Conv2D`.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(filters, 1, **kwargs)

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        pixels = tf.reshape(inputs, (-1, inputs.shape[-1]))
        y = tf.matmul(pixels, tf.squeeze(kernel, (0, 1)))
        return tf.reshape(y, (-1, *inputs.shape[1:-1], self.filters))


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
        if self.stride == 1:
            return _at_stride_one(self.convolution, x)
        x = self.convolution(x)  # (batch, (height - 1) * stride + kernel, ...)
        if self.kernel_size < self.stride:
            x = tf.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))
        p = (self.kernel_size - 1) // 2
        # Not by indices, whose gradient takes ten times as long as this one's padding.
        return tf.slice(x, (0, p, p, 0), (-1, height, width, -1))


def _at_stride_one(layer: layers.Layer, x: tf.Tensor) -> tf.Tensor:
    """`layer(x)` by the fastest algorithm; a layer that is not built yet builds itself."""
    # The kernel's shape alone: a look at a value that is not there yet would draw one.
    axes = winograd.same_axes(x, layer.kernel.shape, winograd.WIDE) if layer.built else None
    if axes is None:
        return layer(x)
    transposed = isinstance(layer, layers.Conv2DTranspose)
    y = winograd.convolve(x, tf.convert_to_tensor(layer.kernel), axes, transposed)
    return y if layer.bias is None else tf.nn.bias_add(y, layer.bias)
