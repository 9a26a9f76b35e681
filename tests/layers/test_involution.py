"""Involution against its definition, with gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.layers import Involution
from hvp.layers.neighbourhood import generated_sum

GROUPS, C, FEATURES = 2, 4, 3


def by_definition(x, hidden, matrix, bias, groups):
    """Unfolds all patches, which the layer never does."""
    batch, height, width, _ = x.shape
    size = round((matrix.shape[1] // groups) ** 0.5)
    kernels = tf.reshape(hidden @ matrix + bias, (batch, height, width, groups, size**2))
    patches = tf.image.extract_patches(x, (1, size, size, 1), (1, 1, 1, 1), (1, 1, 1, 1), "SAME")
    patches = tf.reshape(patches, (batch, height, width, size**2, groups, -1))
    return tf.reshape(tf.einsum("bhwkgc,bhwgk->bhwgc", patches, kernels), x.shape)


@pytest.mark.parametrize(
    ("size", "batch", "compiled"),
    [
        *((size, 2, compiled) for size in (1, 3, 7) for compiled in (False, True)),
        (3, 1, False),
        (7, 1, True),
        (21, 2, False),
        *(pytest.param(15, 2, compiled, marks=pytest.mark.slow) for compiled in (False, True)),
        *(pytest.param(21, batch, True, marks=pytest.mark.slow) for batch in (1, 2)),
    ],
)
def test_value_and_gradients(size, batch, compiled):
    random = np.random.default_rng(size)
    shapes = [
        (batch, 6, 9, GROUPS * C),
        (batch, 6, 9, FEATURES),
        (FEATURES, GROUPS * size**2),
        (GROUPS * size**2,),
    ]
    inputs = [tf.constant(random.standard_normal(shape), tf.float32) for shape in shapes]

    def run(function):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            y = function(*inputs, GROUPS)
            loss = tf.reduce_sum(tf.sin(y / size))
        return [y, *tape.gradient(loss, inputs)]

    ours = tf.function(lambda: run(generated_sum), autograph=False) if compiled else None
    actual = ours() if compiled else run(generated_sum)
    for a, b in zip(actual, run(by_definition), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_the_layer():
    layer = Involution(5, reduction=2)
    y = layer(np.ones((2, 8, 8, 32), "float32"))
    assert y.shape == (2, 8, 8, 32)
    assert layer.groups == 2
    assert layer.span.kernel.shape == (1, 1, 16, 50)
    assert Involution(3, groups=4)(np.ones((1, 4, 4, 8), "float32")).shape == (1, 4, 4, 8)
    with pytest.raises(ValueError, match="odd"):
        Involution(4)
    with pytest.raises(ValueError, match="do not divide into 3"):
        Involution(3, groups=3)(np.ones((1, 4, 4, 8), "float32"))


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_precision_is_that_of_the_layer(kernel_size):
    keras.utils.set_random_seed(1)  # of some weights, features near 0 change their sign
    x = tf.random.stateless_normal((1, 6, 6, 16), (0, 0))
    layer, exact = (Involution(kernel_size, dtype=d) for d in ("mixed_bfloat16", "float32"))
    exact.build(x.shape)
    layer.build(x.shape)
    exact.set_weights(layer.get_weights())
    found = []
    for each in (layer, exact):
        with tf.GradientTape() as tape:
            y = each(x)
            loss = tf.reduce_sum(tf.square(tf.cast(y, tf.float32)))
        found.append([y, *tape.gradient(loss, each.trainable_variables)])
    (y, *gradients), _ = found
    assert y.dtype == tf.bfloat16
    assert {g.dtype for g in gradients} == {tf.float32}
    for rounded, true in zip(*found, strict=True):  # bfloat16 has 8 bits, errors of 0.4 % a number
        tolerance = 0.02 * np.abs(true).max()
        np.testing.assert_allclose(tf.cast(rounded, tf.float32), true, atol=tolerance)


def test_gradients_of_gradients_are_refused():
    layer, x = Involution(3), tf.random.stateless_normal((1, 6, 6, 16), (0, 0))
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        slope = tape.gradient(y, x)
    with pytest.raises(LookupError, match="has no gradient itself"):
        outer.gradient(slope, x)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_persistent_tape_does_not_ask_for_them(compiled):
    layer, x = Involution(3), tf.random.stateless_normal((1, 6, 6, 16), (0, 0))
    run = tf.function(lambda x: layer(x), autograph=False) if compiled else layer
    layer(x)
    slopes = []
    for persistent in (False, True):
        with tf.GradientTape(persistent=persistent) as tape:
            tape.watch(x)
            y = run(x)
        slopes.append(tape.gradient(y, x))
    np.testing.assert_array_equal(*slopes)
