"""Activations whose gradients are one pass over memory.

TensorFlow differentiates what it has no kernel for by one operation a factor, and on a CPU each is
a pass over a tensor that no cache holds: a good part of a convolutional network's train step.
"""

from __future__ import annotations

import tensorflow as tf

from hvp.layers.custom_gradients import custom_gradient


def leaky_relu(x: tf.Tensor, slope: float) -> tf.Tensor:
    """`x`, negative values times `slope`, which is above 0."""

    @custom_gradient
    def activate(x: tf.Tensor) -> tuple[tf.Tensor, object]:
        y = tf.nn.leaky_relu(x, slope)

        def gradient(dy: tf.Tensor) -> tf.Tensor:
            # The output has the signs of x, which so need not be kept: the convolution before it
            # and this become one operation.
            return tf.raw_ops.LeakyReluGrad(gradients=dy, features=y, alpha=slope)

        return y, gradient

    return activate(x)


@custom_gradient
def mish(x: tf.Tensor) -> tuple[tf.Tensor, object]:
    """`x * tanh(softplus(x))` (Misra, "Mish: A Self Regularized Non-Monotonic Activation")."""
    # By one exponential: tanh(log(1 + e)) = (e² + 2 e) / (e² + 2 e + 2), which is 1 from 10 on.
    wide = tf.cast(x, tf.float32)
    e = tf.exp(tf.minimum(wide, 20.0))
    product = e * (e + 2.0)
    factor = product / (product + 2.0)

    def gradient(dy: tf.Tensor) -> tf.Tensor:
        slope = factor + wide * (4.0 * e * (e + 1.0) / tf.square(product + 2.0))
        return dy * tf.cast(slope, dy.dtype)

    return tf.cast(wide * factor, x.dtype), gradient


@custom_gradient
def swish(x: tf.Tensor) -> tuple[tf.Tensor, object]:
    """`x * sigmoid(x)`."""
    return tf.nn.silu(x), lambda dy: _times_swish_slope(x, dy)


def swish_slope(x: tf.Tensor) -> tf.Tensor:
    """The derivative of `swish`."""
    sigmoid = tf.sigmoid(x)
    return sigmoid * (1.0 + x * (1.0 - sigmoid))


@tf.function(jit_compile=True, autograph=False)
def _times_swish_slope(x: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
    return dy * swish_slope(x)
