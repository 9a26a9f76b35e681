"""Normalisations, as PyTorch's and compiled."""

from __future__ import annotations

import gc

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.layers import activations, compiled
from hvp.layers.normalisation import (
    NORM_EPSILON,
    GroupNormalization,
    LayerNormalization,
    batch_norm,
)


def test_moving_variance_is_of_unbiased_estimates():
    """PyTorch's BatchNorm2d: normalised by the biased variance, remembered is the unbiased one."""
    x = np.random.default_rng(0).normal(3.0, 2.0, (2, 2, 3, 4)).astype("float32")
    norm = batch_norm("norm")
    y = norm(tf.constant(x), training=True)
    axes, count = (0, 1, 2), 2 * 2 * 3
    mean, variance = x.mean(axes), x.var(axes)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-5), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(norm.moving_mean, 0.1 * mean, rtol=1e-5)
    unbiased = variance * count / (count - 1)
    np.testing.assert_allclose(norm.moving_variance, 0.9 + 0.1 * unbiased, rtol=1e-5)
    resting = norm(tf.constant(x), training=False)
    expected = (x - norm.moving_mean) / np.sqrt(np.asarray(norm.moving_variance) + 1e-5)
    np.testing.assert_allclose(resting, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("large", [False, True])
def test_a_mean_far_beyond_the_deviation_costs_no_precision(large, monkeypatch):
    """`x * scale - mean * scale` would: here 1e-4, which gradients of few values multiply."""
    if large:
        monkeypatch.setattr(compiled, "pays", lambda *_: True)
    x = tf.constant([[999.5], [1000.5]] * 8)  # the mean is exact
    y = batch_norm("norm")(x, training=True)
    np.testing.assert_allclose(y, np.tile([[-1.0], [1.0]], (8, 1)) / np.sqrt(0.25 + 1e-5) / 2, 1e-6)


def test_a_frozen_norm_keeps_its_statistics():
    norm = batch_norm("norm", trainable=False)
    norm(tf.ones((2, 2, 2, 3)) * 5.0, training=True)
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(3))


# name -> how to make the layer, the shape of its input, how to call it
LAYERS = {
    "layer": (lambda: LayerNormalization(epsilon=NORM_EPSILON), (2, 3, 5, 24), {}),
    "groups": (lambda: GroupNormalization(2, activations.mish), (3, 4, 6, 10), {}),
    "groups of few channels": (lambda: GroupNormalization(2), (3, 4, 6, 4), {}),
    "many channels": (lambda: GroupNormalization(4, tf.nn.silu), (2, 3, 3, 80), {}),
    "batch": (lambda: batch_norm("norm", activation=tf.tanh), (4, 2, 3, 6), {"training": True}),
    "batch at rest": (lambda: batch_norm("norm", activation=tf.tanh), (4, 2, 3, 6), {}),
    "parts of a batch": (
        lambda: batch_norm("norm", activation=tf.nn.silu),
        (6, 2, 3, 5),
        {"training": True, "groups": 3},
    ),
}


def made(name, shape):
    """A layer whose scale and shift are not 1 and 0."""
    layer = LAYERS[name][0]()
    layer.build(shape)
    random = np.random.default_rng(1)
    layer.gamma.assign(random.uniform(0.5, 2.0, shape[-1]))
    layer.beta.assign(random.normal(size=shape[-1]))
    return layer


def results(name, x, layer, twice=False):
    """What a layer makes of `x`, gradients of a sum of it, and what it remembers."""
    arguments, weights = LAYERS[name][2], tf.random.stateless_normal(x.shape, (0, 1))
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, **arguments)
            total = tf.reduce_sum(tf.cast(y, tf.float32) * weights)
        variables = [variable.value for variable in layer.trainable_variables]
        gradients = tape.gradient(total, (x, *variables))
        squares = tf.reduce_sum(tf.square(gradients[0]))
    if twice:
        return [outer.gradient(squares, x)]
    remembered = [tf.identity(variable.value) for variable in layer.non_trainable_variables]
    return [y, *gradients, *remembered]


def compile_all(monkeypatch, whether):
    monkeypatch.setattr(compiled, "pays", lambda *_: whether)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("large", [False, True])
def test_a_way_past_a_layer_normalisation(large, dtype, monkeypatch):
    """The gradient of both results is what it is without `beside`."""
    compile_all(monkeypatch, large)
    shape = LAYERS["layer"][1]
    layer = made("layer", shape)
    x = tf.cast(tf.random.stateless_normal(shape, (0, 0)), dtype)
    weights = tf.cast(tf.random.stateless_normal((2, *shape), (0, 1)), dtype)
    found = []
    for run in (layer.beside, lambda x: (layer(x), x)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            normal, past = run(x)
            total = tf.reduce_sum(normal * weights[0]) + tf.reduce_sum(past * past * weights[1])
        found.append([normal, past, tape.gradient(total, x)])
    for ours, expected in zip(*found, strict=True):
        assert ours.dtype == dtype
        tolerance = 1e-5 if dtype == "float32" else 2e-2  # a rounding or two of either
        np.testing.assert_allclose(
            tf.cast(ours, tf.float32), tf.cast(expected, tf.float32), tolerance, tolerance
        )


@pytest.mark.parametrize("name", LAYERS)
def test_compiled_is_the_same(name, monkeypatch):
    assert_the_same(name, True, False, monkeypatch)


@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("name", ["layer", "parts of a batch"])
def test_gradients_of_compiled_gradients(name, graph, monkeypatch):
    assert_the_same(name, graph, True, monkeypatch)


def assert_the_same(name, graph, twice, monkeypatch):
    x = tf.random.stateless_normal(LAYERS[name][1], (0, 0)) * 3.0 + 1.0
    found = []
    for whether in (False, True):
        compile_all(monkeypatch, whether)
        run = tf.function(results, autograph=False) if graph else results
        found.append(run(name, x, made(name, x.shape), twice))
    for a, b in zip(*found, strict=True):
        # Rounding of sums in another order, float32.
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5 * np.abs(a).max())


@pytest.mark.parametrize("name", ["layer", "groups", "batch"])
def test_compiled_in_bfloat16(name, monkeypatch):
    """Sums are of float32; what comes in and goes out is rounded."""
    compile_all(monkeypatch, True)
    x = tf.random.stateless_normal(LAYERS[name][1], (0, 0)) * 3.0 + 1.0
    exact = results(name, x, made(name, x.shape))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        rounded = results(name, tf.cast(x, tf.bfloat16), made(name, x.shape))
    finally:
        keras.config.set_dtype_policy("float32")
    assert [t.dtype for t in rounded[:2]] == [tf.bfloat16] * 2
    assert all(t.dtype == tf.float32 for t in rounded[2:])
    for a, b in zip(exact, rounded, strict=True):
        np.testing.assert_allclose(tf.cast(b, tf.float32), a, atol=2e-2 * np.abs(a).max())


@pytest.mark.parametrize("name", ["layer", "groups", "batch"])
def test_compiled_for_any_number_of_examples(name, monkeypatch):
    compile_all(monkeypatch, True)
    _, shape, arguments = LAYERS[name]
    layer = made(name, shape)
    x = tf.random.stateless_normal(shape, (0, 0))
    spec = tf.TensorSpec((None, *shape[1:]))
    any_number = tf.function(lambda x: layer(x, **arguments), input_signature=[spec])
    for count in (1, shape[0]):
        np.testing.assert_allclose(
            any_number(x[:count]), layer(x[:count], **arguments), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(
    "layer", [GroupNormalization(2, activations.mish), LayerNormalization(epsilon=NORM_EPSILON)]
)
def test_nothing_but_the_input_is_kept(layer):
    x = tf.random.normal((8, 64, 64, 32))
    layer.build(x.shape)
    assert compiled.pays(x)

    def memory():
        return tf.config.experimental.get_memory_info("CPU:0")["current"]

    gc.collect()
    try:
        before = memory()
    except ValueError:
        pytest.skip("TensorFlow counts memory only where oneDNN allocates it")
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    gc.collect()
    assert memory() - before < 1.1 * np.prod(y.shape) * 4  # the result's own
    assert tape.gradient(y, x).shape == x.shape
