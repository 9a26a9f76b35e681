"""Custom gradients, which TensorFlow would keep for good with the graphs they are part of."""

from __future__ import annotations

import collections
import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

import hvp.models.base  # noqa: F401  # mends the registry
from hvp.layers.custom_gradients import PREFIX, custom_gradient, gradients_in_turn


@custom_gradient
def cube(x):
    return x**3, lambda dy: dy * 3.0 * x**2


@tf.custom_gradient
def tensorflows_cube(x):
    return x**3, lambda dy: dy * 3.0 * x**2


def in_a_loop(x):
    return tf.while_loop(lambda i, y: i < 2, lambda i, y: (i + 1, cube(y)), (0, x))[1]


def in_a_function(x):
    return tf.function(cube, autograph=False, experimental_attributes={"_noinline": True})(x)


FUNCTIONS = {
    "as it is": (cube, 3),
    "TensorFlow's": (tensorflows_cube, 3),
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


@custom_gradient
def products(x, y, whole):
    def gradient(dproduct, dsquare):
        return dproduct * y + dsquare * 2.0 * x, dproduct * x, None

    return (x * y, x**2), gradient


def gradients_of(x, y, whole):
    with tf.GradientTape() as tape:
        tape.watch((x, y))
        product, _ = products(x, y, whole)
        z = product * tf.cast(whole, tf.float32)
    return tape.gradient(z, (x, y))


def test_several_tensors_and_outputs():
    """One of which nothing is asked, and one that has no gradient."""
    given = tf.constant([2.0, 3.0]), tf.constant([5.0, 7.0]), tf.constant([1, 2])
    for run in (gradients_of, tf.function(gradients_of, autograph=False)):
        dx, dy = run(*given)
        np.testing.assert_allclose(dx, [5.0, 14.0])
        np.testing.assert_allclose(dy, [2.0, 6.0])


def test_a_graph_has_nothing_that_is_not_used():
    @custom_gradient
    def weighted(x, weight, bias):
        return x * weight + bias, lambda dy: (dy * weight, dy * x, dy)

    def gradients(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            y = weighted(*tensors)
        return tape.gradient(y, tensors)

    spec = tf.TensorSpec([500, 3])
    graph = tf.function(gradients, autograph=False).get_concrete_function(spec, spec, spec).graph
    types = collections.Counter(op.type for op in graph.get_operations())
    assert types["Fill"] == 1  # the upstream gradient's ones, no tensor's zeros
    assert types["Identity"] == 3  # of the function's results


def test_variables_must_be_given():
    variable = tf.Variable(2.0)

    @custom_gradient
    def scaled(x):
        return variable * x, lambda dy: dy * variable

    with pytest.raises(TypeError, match="variables"):
        tf.function(scaled, autograph=False)(tf.constant(1.0))
    with pytest.raises(TypeError, match="variables"):
        scaled(tf.constant(1.0))


def test_gradients_in_turn():
    def gradients(x, y):
        with tf.GradientTape() as tape:
            tape.watch((x, y))
            first, second = gradients_in_turn(x, y)
            z = tf.exp(first) * second
        return tape.gradient(z, (x, y))

    given = tf.constant(1.0), tf.constant(2.0)
    traced = tf.function(gradients, autograph=False).get_concrete_function(*given)
    for found in (gradients(*given), traced(*given)):
        np.testing.assert_allclose(found, [2.0 * np.e, np.e], rtol=1e-6)
    dx, dy = (tensor.op for tensor in traced.graph.outputs)
    while not dy.control_inputs:  # up to where it waits
        (dy,) = (tensor.op for tensor in dy.inputs)
    while dx.type == "Identity":
        (dx,) = (tensor.op for tensor in dx.inputs)
    assert dx in dy.control_inputs
