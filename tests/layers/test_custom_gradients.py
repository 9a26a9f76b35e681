"""Custom gradients, which TensorFlow would keep for good with the graphs they are part of."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

import hvp.models.base  # noqa: F401  # mends the registry
from hvp.layers.custom_gradients import PREFIX


@tf.custom_gradient
def cube(x):
    return x**3, lambda dy: dy * 3.0 * x**2


def in_a_loop(x):
    return tf.while_loop(lambda i, y: i < 2, lambda i, y: (i + 1, cube(y)), (0, x))[1]


def in_a_function(x):
    return tf.function(cube, autograph=False, experimental_attributes={"_noinline": True})(x)


FUNCTIONS = {
    "as it is": (cube, 3),
    "in a loop": (in_a_loop, 9),
    "in a function": (in_a_function, 3),
}


def registered():
    return [name for name in ops.gradient_registry.list() if name.startswith(PREFIX)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_there_as_long_as_the_graph(name):
    """Also those that are asked for, by an eager tape, long after the function was traced."""
    function, power = FUNCTIONS[name]
    traced = tf.function(function, autograph=False).get_concrete_function(tf.TensorSpec([]))
    gc.collect()
    x = tf.constant(1.1)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = traced(x)
        first = tape.gradient(y, x)
    gc.collect()
    np.testing.assert_allclose(first, power * 1.1 ** (power - 1), rtol=1e-5)
    second = outer.gradient(first, x)
    np.testing.assert_allclose(second, power * (power - 1) * 1.1 ** (power - 2), rtol=1e-5)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_graphs_go(name):
    def graph_of_a_gradient():
        @tf.function(autograph=False)
        def gradient(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = FUNCTIONS[name][0](x)
            return tape.gradient(y, x)

        np.testing.assert_allclose(gradient(tf.constant(1.0)), FUNCTIONS[name][1])
        return weakref.ref(gradient.get_concrete_function(tf.TensorSpec([])).graph)

    gc.collect()
    before = registered()
    graph = graph_of_a_gradient()
    gc.collect()
    assert graph() is None
    assert registered() == before
