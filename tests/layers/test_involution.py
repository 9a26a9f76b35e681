"""Involution against its definition, with gradients."""

from __future__ import annotations

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


@pytest.mark.parametrize("size", [1, 3, 7, 15, 21])
@pytest.mark.parametrize("compiled", [False, True])
def test_value_and_gradients(size, compiled):
    random = np.random.default_rng(size)
    shapes = [
        (2, 6, 9, GROUPS * C),
        (2, 6, 9, FEATURES),
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

    ours = tf.function(lambda: run(generated_sum)) if compiled else None
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
