"""StyleGAN2's layers for frames and videos: equalised weights, FIR resampling, modulation.

Everything here is made of products, sums and convolutions, whose second gradients TensorFlow has:
the R1 penalty needs them.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
from keras import initializers, layers

from hvp.layers.custom_gradients import custom_gradient
from hvp.models.motion_gan.convolutions import convolve, convolve_doubling


@custom_gradient
def leaky_relu(x: tf.Tensor) -> tuple:
    """Leaky ReLU of slope 0.2, scaled by sqrt(2) to keep the variance.

    Its gradient is taken from the result, which has the sign of what went in: that is not kept.
    """
    gain = tf.constant(math.sqrt(2.0), x.dtype)
    # Scaled before: TensorFlow's remapper fails where it fuses a convolution, biases and this.
    y = tf.nn.leaky_relu(x * gain, 0.2)

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.LeakyReluGrad(gradients=upstream * gain, features=y, alpha=0.2)

    return y, gradient


def pixel_norm(x: tf.Tensor) -> tf.Tensor:
    """Every vector along the last axis brought to a mean square of 1."""
    return x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), axis=-1, keepdims=True) + 1e-8)


class EqualDense(layers.Layer):
    """A dense layer whose weights are scaled when used, so that all learn equally fast.

    Args:
        units: outputs.
        rate: multiplies the learning rate of its weights.
        bias: the biases' initial value.
        activate: append `leaky_relu`.
    """

    def __init__(
        self, units: int, rate: float = 1.0, bias: float = 0.0, activate: bool = False, **kwargs
    ):
        super().__init__(**kwargs)
        self.units, self.rate, self.initial_bias, self.activate = units, rate, bias, activate

    def build(self, shape: tuple[Any, ...]) -> None:
        self.kernel = self.add_weight(
            shape=(shape[-1], self.units),
            initializer=initializers.RandomNormal(stddev=1 / self.rate),
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(self.units,), initializer=initializers.Constant(self.initial_bias), name="bias"
        )
        self.scale = self.rate / math.sqrt(shape[-1])
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        y = tf.matmul(x, self.kernel * self.scale) + self.bias * self.rate
        return leaky_relu(y) if self.activate else y


class EqualConvolution(layers.Layer):
    """A convolution over frames or videos with weights scaled when used.

    Args:
        filters: outputs.
        size: kernel size along every axis.
        strides: one per axis: two for frames, three (time first) for videos.
        blur: filter frames before; see `convolve`.
        activate: add biases, then `leaky_relu`.
    """

    def __init__(
        self,
        filters: int,
        size: int,
        strides: tuple[int, ...],
        blur: bool = False,
        activate: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters, self.size, self.strides = filters, size, strides
        self.activate, self.blur = activate, blur

    def build(self, shape: tuple[Any, ...]) -> None:
        axes = (self.size,) * len(self.strides)
        self.kernel = self.add_weight(
            shape=(*axes, shape[-1], self.filters),
            initializer=initializers.RandomNormal(stddev=1.0),
            name="kernel",
        )
        self.scale = 1 / math.sqrt(math.prod(axes) * shape[-1])
        if self.activate:
            self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.finish(self.linear(x))

    def linear(self, x: tf.Tensor) -> tf.Tensor:
        """The convolution, whose gradient does not need what it returns."""
        # Cast here too, as Keras does so for `call` alone.
        kernel = tf.cast(self.kernel, self.compute_dtype) * self.scale
        return convolve(tf.cast(x, self.compute_dtype), kernel, self.strides, self.blur)

    def finish(self, y: tf.Tensor) -> tf.Tensor:
        """What comes after it."""
        return leaky_relu(y + tf.cast(self.bias, y.dtype)) if self.activate else y


class ModulatedConvolution(layers.Layer):
    """A convolution whose input channels are weighted by a style (StyleGAN2, equations 1 and 3).

    The weights are the same for all examples: the style scales the input and the normalisation of
    the modulated weights scales the output, which gives the same numbers.

    Args:
        filters: outputs.
        size: odd kernel size.
        demodulate: bring the modulated weights of each output to unit norm.
        up: double height and width by a transposed convolution and the FIR filter.
    """

    def __init__(self, filters: int, size: int, demodulate: bool, up: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.size, self.demodulate, self.up = filters, size, demodulate, up

    def build(self, shape: tuple[Any, ...], style_shape: tuple[Any, ...]) -> None:
        channels = shape[-1]
        self.kernel = self.add_weight(
            shape=(self.size, self.size, channels, self.filters),
            initializer=initializers.RandomNormal(stddev=1.0),
            name="kernel",
        )
        self.scale = 1 / math.sqrt(self.size**2 * channels)
        self.modulation = EqualDense(channels, bias=1.0, dtype=self.dtype_policy, name="modulation")
        self.modulation.build(style_shape)
        self.built = True

    def call(self, x: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
        """`x` is `(batch, height, width, channels)`, `style` `(batch, dim)`."""
        scales = self.modulation(style)  # (batch, channels)
        kernel = self.kernel * self.scale
        x = x * scales[:, None, None]
        if self.up:
            y = convolve_doubling(x, kernel)
        else:
            y = convolve(x, kernel, (1, 1))
        if self.demodulate:
            power = tf.reduce_sum(tf.square(kernel), axis=(0, 1))  # (channels, filters)
            norms = tf.matmul(tf.square(scales), power)  # (batch, filters)
            y = y * tf.math.rsqrt(norms + 1e-8)[:, None, None]
        return y
