"""Computing anew changes no number: outputs, gradients, gradients of gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.layers.recompute import inputs_only, recomputed


class Curved(keras.layers.Layer):
    """A layer whose gradient depends on its input."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 4), initializer="normal", name="kernel")

    def call(self, x):
        return tf.tanh(tf.matmul(x, self.kernel))


def derivatives(function, layer, x):
    """The output, first gradients, and the gradients of a penalty on the input's."""
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape(persistent=True) as inner:
            inner.watch(x)
            y = function(x)
            loss = tf.reduce_sum(tf.square(y))
        with inputs_only():
            gradient = inner.gradient(loss, x)
        penalty = tf.reduce_sum(tf.square(gradient))
    first = inner.gradient(loss, layer.trainable_variables)
    second = outer.gradient(penalty, [x, *layer.trainable_variables])
    return [y, gradient, *first, *second]


@pytest.fixture
def layer():
    layer = Curved()
    layer.build((None, 3))
    layer.kernel.assign(np.random.default_rng(0).normal(size=(3, 4)))
    return layer


@pytest.mark.parametrize(
    ("wrap", "rows"),
    [
        (lambda f: f, 2),  # at once
        (lambda f: f, 3),
        (tf.function, 4),
        (tf.function(jit_compile=True), 4),
    ],
)
def test_derivatives_are_those_of_the_function(layer, wrap, rows):
    x = tf.constant(np.random.default_rng(1).normal(size=(rows, 3)), tf.float32)
    run = lambda x: recomputed(layer, [layer], [x], 2)[0]  # noqa: E731
    expected = derivatives(layer, layer, x)
    actual = wrap(lambda x: derivatives(run, layer, x))(x)
    assert np.abs(expected[-1]).max() > 0.1
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_inputs_only_leaves_the_weights_gradient_out(layer):
    x = tf.ones((3, 3))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        (y,) = recomputed(layer, [layer], [x], 2)
    with inputs_only():
        assert tape.gradient(y, layer.trainable_variables) == [None]
        assert tape.gradient(y, x) is not None
    assert tape.gradient(y, layer.trainable_variables)[0] is not None


def test_batches_of_unknown_size(layer):
    run = lambda x: recomputed(layer, [layer], [x], 2)[0]  # noqa: E731
    graph = tf.function(
        lambda x: derivatives(run, layer, x), input_signature=[tf.TensorSpec((None, 3))]
    )
    for rows in (1, 2, 5):
        x = tf.constant(np.random.default_rng(1).normal(size=(rows, 3)), tf.float32)
        for a, b in zip(graph(x), derivatives(layer, layer, x), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
