"""Layers that run as one function, and what they keep for their gradient."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.layers import compiled
from hvp.layers.normalisation import batch_norm
from hvp.layers.shared import SharedLayers, keeping, kept

X = tf.constant(np.random.default_rng(0).normal(size=(4, 3)).astype("float32"))


class Squares(keras.layers.Layer):
    """Squares a product with a matrix; counts how often it does."""

    def __init__(self, keeps: bool) -> None:
        super().__init__()
        self.keeps, self.calls = keeps, 0
        self.dense = keras.layers.Dense(3)

    def build(self, shape):
        self.dense.build(shape)
        self.built = True

    def call(self, x):
        y = self.counted(tf.square(self.dense(x)))
        positive = y > 1.0
        if self.keeps:
            y, positive = kept(y), kept(positive)
        return tf.where(positive, tf.sin(y), 2.0 * y)

    @tf.custom_gradient
    def counted(self, x):
        def count(x):
            self.calls += 1
            return x

        # Without a state, so that TensorFlow leaves it out where nobody needs it.
        y = tf.numpy_function(count, [x], tf.float32, stateful=False)
        return tf.ensure_shape(y, x.shape), lambda dy: dy


@pytest.mark.parametrize("keeps", [False, True])
@pytest.mark.parametrize("eager", [False, True])
def test_a_shared_layer_is_the_layer(eager, keeps):
    layers = [Squares(keeps), Squares(keeps)]
    for layer in layers:
        layer(X)
    shared = SharedLayers()

    def run(call):
        with tf.GradientTape() as tape:
            tape.watch(X)
            y = X
            for layer in layers:
                y = call(layer, y)
        weights = [w.value for layer in layers for w in layer.trainable_variables]
        return [y, *tape.gradient(y, [X, *weights])]

    def found(call):
        return run(call) if eager else tf.function(lambda: run(call), autograph=False)()

    for plain, ours in zip(
        found(lambda layer, x: layer(x)), found(lambda layer, x: shared(layer, x)), strict=True
    ):
        np.testing.assert_allclose(ours, plain, rtol=1e-6)
    assert np.abs(plain).max() > 0.0


@pytest.mark.parametrize(("keeps", "times"), [(False, 2), (True, 1)])
def test_what_is_kept_is_not_computed_anew(keeps, times):
    layer = Squares(keeps)
    layer(X)
    shared, layer.calls = SharedLayers(), 0

    @tf.function
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = shared(layer, x)
        return y, tape.gradient(y, x)

    run(X)
    assert layer.calls == times


def test_weights_may_be_frozen():
    layer = Squares(True)
    layer(X)
    layer.trainable = False
    np.testing.assert_allclose(SharedLayers()(layer, X), layer(X), rtol=1e-6)


class Normalised(keras.layers.Layer):
    """A matrix, and batch normalisation, whose moving averages are the layer's state."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.norm = keras.layers.Dense(5), batch_norm("norm")

    def build(self, shape):
        self.dense.build(shape)
        self.norm.build((None, 5))
        self.built = True

    def call(self, x, training=False):
        return tf.tanh(self.norm(self.dense(x), training=training))


@pytest.mark.parametrize("compile_norms", [False, True])
@pytest.mark.parametrize("eager", [False, True])
def test_moving_averages_of_shared_layers_move(eager, compile_norms, monkeypatch):
    monkeypatch.setattr(compiled, "LARGE", 1 if compile_norms else 2**30)

    def run(call):
        keras.utils.set_random_seed(0)
        layers = [Normalised(), Normalised()]
        for layer in layers:
            layer(X)

        def gradients():
            with tf.GradientTape() as tape:
                tape.watch(X)
                ys = [call(layer, X, training=True) for layer in layers]
                ys += [call(layer, X, training=False) for layer in layers]
            return tape.gradient(ys, [X, *(layer.dense.kernel.value for layer in layers)])

        found = gradients() if eager else tf.function(gradients, autograph=False)()
        return [*found, *(weight.numpy() for layer in layers for weight in layer.weights)], layers

    plain, _ = run(lambda layer, x, training: layer(x, training=training))
    ours, layers = run(SharedLayers())
    for a, b in zip(ours, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    first, second = (layer.norm.moving_mean.numpy() for layer in layers)
    assert np.abs(first).min() > 0.0
    assert np.abs(first - second).max() > 1e-3


def test_a_frozen_norm_is_not_that_of_its_neighbour():
    free, frozen = Normalised(), Normalised()
    shared = SharedLayers()
    for layer in (free, frozen):
        layer(X)
    frozen.norm.trainable = False
    for layer in (free, frozen):
        shared(layer, X, training=True)
    assert np.abs(free.norm.moving_mean.numpy()).max() > 0.0
    assert np.abs(frozen.norm.moving_mean.numpy()).max() == 0.0


def test_norms_over_replicas_are_not_shared():
    layer = Normalised()
    layer(X)
    layer.norm.synchronized = True
    shared = SharedLayers()
    np.testing.assert_allclose(shared(layer, X), layer(X), rtol=1e-6)
    assert not shared._functions


def test_kept_does_nothing_elsewhere():
    assert kept(X) is X


def test_nothing_is_kept_at_inference():
    class Keeps(Normalised):
        def call(self, x, training=False):
            seen.append(keeping())
            return super().call(kept(x), training)

    seen, shared, layer = [], SharedLayers(), Keeps()
    layer(X)  # builds it
    seen.clear()
    for training in (False, True):
        shared(layer, X, training=training)
    assert seen == [False, True]
    assert not keeping()
    found = []
    for run in (shared, lambda layer, x, training: layer(x, training=training)):
        with tf.GradientTape() as tape:
            tape.watch(X)
            y = run(layer, X, training=False)
        found.append((y, tape.gradient(y, X)))
    for ours, plain in zip(*found, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-5, atol=1e-6)
