"""Gradients of biases in bfloat16, which TensorFlow sums up wrongly on CPUs."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import hvp.models.base  # noqa: F401  # mends the gradient
from hvp.layers.transposed import DoublingConvolution


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        lambda dtype: keras.layers.Conv2D(4, 1, dtype=dtype),
        lambda dtype: DoublingConvolution(4, 6, dtype=dtype),
    ],
)
def test_sums_of_many_are_not_lost(make, in_graph):
    x = tf.random.stateless_uniform((32, 40, 40, 3), (0, 0))
    found = []
    for dtype in ("float32", "mixed_bfloat16"):
        layer = make(dtype)
        layer.build(x.shape)
        layer.kernel.assign(tf.ones_like(layer.kernel))

        def gradient(layer=layer):
            with tf.GradientTape() as tape:
                # Positive terms: half of them are lost where a sum of bfloat16 stops growing.
                loss = tf.reduce_mean(tf.cast(layer(x), tf.float32) ** 2)
            return tape.gradient(loss, layer.bias.value)

        found.append(np.array((tf.function(gradient) if in_graph else gradient)()))
    np.testing.assert_allclose(found[1], found[0], rtol=0.01)


def test_channels_first():
    x = tf.ones((2, 3, 100, 100), tf.bfloat16)
    bias = tf.zeros(3, tf.bfloat16)
    with tf.GradientTape() as tape:
        tape.watch(bias)
        y = tf.nn.bias_add(x, bias, "NCHW")
    np.testing.assert_allclose(tf.cast(tape.gradient(y, bias), tf.float32), 20_000, rtol=0.01)
