"""Convolutions of single pixels against Keras' own."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.layers.convolution import PointwiseConvolution


@pytest.mark.parametrize("bias", [False, True])
def test_pointwise_convolutions_are_those_of_keras(bias):
    x = tf.random.stateless_normal((2, 5, 7, 6), (0, 0))
    found = []
    for make in (PointwiseConvolution, lambda n, **kwargs: keras.layers.Conv2D(n, 1, **kwargs)):
        keras.utils.set_random_seed(0)
        layer = make(4, use_bias=bias, activation="tanh", bias_initializer="ones")
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(tf.square(y))
        gradients = tape.gradient(loss, [x, *layer.trainable_variables])
        found.append([*layer.get_weights(), y, *gradients])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_batches_of_unknown_size():
    layer = PointwiseConvolution(4)
    run = tf.function(layer, [tf.TensorSpec((None, 5, 7, 6))], autograph=False)
    assert run(tf.zeros((3, 5, 7, 6))).shape == (3, 5, 7, 4)
    assert run.get_concrete_function().output_shapes.as_list() == [None, 5, 7, 4]
