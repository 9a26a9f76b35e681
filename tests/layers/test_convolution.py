"""Convolutions of single pixels against Keras' own; transposed ones against their definition."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.layers.convolution import PointwiseConvolution, TransposedConvolution, normalised
from hvp.layers.normalisation import batch_norm


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


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_norm_after_a_convolution(training, frozen):
    """The same numbers and gradients as of one layer after the other."""
    x = tf.random.stateless_normal((2, 5, 7, 6), (0, 0))
    convolution, norm = PointwiseConvolution(4, use_bias=False), batch_norm("norm")
    norm.activation = tf.tanh
    one_by_one = lambda x: norm(convolution(x), training=training)  # noqa: E731
    first = normalised(convolution, norm, x, training=False)  # builds both
    np.testing.assert_allclose(first, norm(convolution(x)), rtol=1e-5, atol=1e-6)
    norm.trainable = not frozen
    random = np.random.default_rng(0)
    for variable in norm.variables:
        variable.assign(random.uniform(0.5, 2.0, variable.shape))
    start = [variable.numpy() for variable in norm.variables]
    found = []
    for run in (lambda x: normalised(convolution, norm, x, training), one_by_one):
        for variable, value in zip(norm.variables, start, strict=True):
            variable.assign(value)
        weights = [variable.value for variable in (*convolution.trainable_variables, norm.gamma)]
        with tf.GradientTape() as tape:
            tape.watch([x, *weights])
            y = run(x)
            loss = tf.reduce_sum(tf.square(y))
        gradients = tape.gradient(loss, [x, *weights])
        found.append([y, *gradients, *(variable.numpy() for variable in norm.variables)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_batches_of_unknown_size():
    layer = PointwiseConvolution(4)
    run = tf.function(layer, [tf.TensorSpec((None, 5, 7, 6))], autograph=False)
    assert run(tf.zeros((3, 5, 7, 6))).shape == (3, 5, 7, 4)
    assert run.get_concrete_function().output_shapes.as_list() == [None, 5, 7, 4]


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_transposed_convolutions_are_pytorchs(kernel):
    """PyTorch's documented sum, bias on every pixel, and its gradients by automatic means."""
    layer = TransposedConvolution(3, kernel, 2)
    x = tf.random.stateless_normal((2, 4, 5, 6), (0, 0))
    y = layer(x)
    layer.convolution.bias.assign([1.0, -2.0, 3.0])
    weights = tf.random.stateless_normal(y.shape, (0, 1))
    height, width, p = 2 * 4, 2 * 5, (kernel - 1) // 2

    def by_definition():
        kernels, bias = layer.convolution.kernel.value, layer.convolution.bias.value
        y = tf.zeros((2, height + 2 * p + 2, width + 2 * p + 2, 3))
        for i, j in np.ndindex(kernel, kernel):
            term = tf.einsum("bhwc,nc->bhwn", x, kernels[i, j])
            term = tf.reshape(tf.stack([term, tf.zeros_like(term)], 3), (2, 4, width, 3))
            term = tf.reshape(tf.stack([term, tf.zeros_like(term)], 2), (2, height, width, 3))
            ends = ((i, 2 * p + 2 - i), (j, 2 * p + 2 - j))
            y += tf.pad(term, ((0, 0), *ends, (0, 0)))
        return y[:, p : p + height, p : p + width] + bias

    found = []
    for run in (lambda: layer(x), by_definition):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = run()
            loss = tf.reduce_sum(tf.tanh(y) * weights)
        variables = [variable.value for variable in layer.trainable_variables]
        found.append([y, *tape.gradient(loss, [x, *variables])])
    for ours, expected in zip(*found, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)
