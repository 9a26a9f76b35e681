"""Convolutions in PyTorch's geometry, for ports that must agree with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import layers

from hvp.layers import winograd
from hvp.layers.custom_gradients import custom_gradient
from hvp.layers.initial_values import pytorch_values
from hvp.layers.normalisation import BatchNormalization
from hvp.layers.shared import kept


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
        y = _product(pixels, tf.squeeze(kernel, (0, 1)))
        return tf.reshape(y, (-1, *inputs.shape[1:-1], self.filters))


def normalised(
    convolution: PointwiseConvolution, norm: BatchNormalization, x: tf.Tensor, training: bool
) -> tf.Tensor:
    """`norm(convolution(x), training=training)`; at inference the product does it all.

    Args:
        convolution: without a bias.
        x: `(batch, height, width, channels)`.
    """
    built = convolution.built and norm.built
    if not built or norm.uses_batch(training):
        return norm(kept(convolution(x)), training=training)
    scale, shift = norm.at_rest()
    kernel = tf.squeeze(tf.cast(convolution.kernel, tf.float32), (0, 1)) * scale
    y = tf.matmul(tf.reshape(x, (-1, x.shape[-1])), tf.cast(kernel, x.dtype))
    y = norm.activation(tf.nn.bias_add(y, tf.cast(shift, x.dtype)))
    return tf.reshape(y, (-1, *x.shape[1:-1], kernel.shape[-1]))


@custom_gradient
def _product(x: tf.Tensor, matrix: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Their product, whose gradient lets go of `x` before it makes that of `x`."""

    def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        dmatrix = tf.matmul(x, dy, transpose_a=True)
        with tf.control_dependencies([dmatrix]):
            return tf.matmul(dy, matrix, transpose_b=True), dmatrix

    return tf.matmul(x, matrix), gradient


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
        layer, size = self.convolution, self.kernel_size
        if self.stride == 1:
            return _at_stride_one(layer, x)
        if not layer.built:
            layer.build(x.shape)
        grown = ((length - 1) * self.stride + size for length in x.shape[1:3])
        shape = (tf.shape(x)[0], *grown, layer.filters)
        kernel = tf.convert_to_tensor(layer.kernel)
        # (batch, (height - 1) * stride + kernel, ...)
        y = tf.nn.conv2d_transpose(x, kernel, shape, self.stride, "VALID")
        if size < self.stride:
            y = tf.pad(y, ((0, 0), (0, 1), (0, 1), (0, 0)))
        inside = _inside((size - 1) // 2, height, width)
        return inside(y, tf.convert_to_tensor(layer.bias))


def _inside(margin: int, height: int, width: int) -> Callable[..., tf.Tensor]:
    """A function of images and a bias: the images without their margins, plus the bias."""

    @custom_gradient
    def run(x: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        # Not by indices, whose gradient takes ten times as long as this one's padding.
        y = tf.slice(x, (0, margin, margin, 0), (-1, height, width, -1))
        sizes = zip(x.shape[1:3], (height, width), strict=True)
        margins = ((0, 0), *((margin, grown - margin - size) for grown, size in sizes), (0, 0))

        def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            dbias = tf.reduce_sum(dy, (0, 1, 2))
            # At once: TensorFlow may leave it to the end of the update, and `dy` in memory.
            with tf.control_dependencies([dbias]):
                return tf.pad(dy, margins), dbias

        return tf.nn.bias_add(y, bias), gradient

    return run


def _at_stride_one(layer: layers.Layer, x: tf.Tensor) -> tf.Tensor:
    """`layer(x)` by the fastest algorithm; a layer that is not built yet builds itself."""
    # The kernel's shape alone: a look at a value that is not there yet would draw one.
    axes = winograd.same_axes(x, layer.kernel.shape, winograd.WIDE) if layer.built else None
    if axes is None:
        return layer(x)
    transposed = isinstance(layer, layers.Conv2DTranspose)
    y = winograd.convolve(x, tf.convert_to_tensor(layer.kernel), axes, transposed)
    return y if layer.bias is None else tf.nn.bias_add(y, layer.bias)
