"""What is compiled, and when."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from hvp.layers import compiled


class Device:
    def __init__(self, kind):
        self.device_type = kind


@pytest.mark.parametrize(
    ("shape", "dtype", "devices", "pays"),
    [
        ((2, 128, 128), tf.float32, ["CPU"], True),
        ((2, 128, 127), tf.float32, ["CPU"], False),  # too small
        ((2, 128, 128), tf.bfloat16, ["CPU"], True),  # counted as float32
        ((2, 128, 64), tf.complex64, ["CPU", "CPU"], True),
        ((None, 256, 128), tf.float32, ["CPU"], True),
        ((2, 128, 128), tf.float32, ["CPU", "GPU"], False),  # not measured there
    ],
)
def test_pays(shape, dtype, devices, pays, monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda: map(Device, devices))
    assert compiled.pays(tf.TensorSpec(shape, dtype)) is pays


def gate(x, y):
    return tf.sigmoid(x) * y


def halves(x, y):
    return tuple(tf.split(tf.tanh(x + y), 2))


@pytest.mark.parametrize(("plain", "atol"), [(gate, 1e-6), (halves, 1e-5)])  # tanh' cancels
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_functions_with_a_gradient(graph, plain, atol):
    """Large tensors' by XLA, with the same values and gradients, also of gradients."""
    function = compiled.differentiable(plain)
    x, y = (tf.random.stateless_normal((256, 128), (0, i)) for i in range(2))

    def all_of(function):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch((x, y))
                z = tf.nest.flatten(function(x, y))
            dx, dy = tape.gradient(z, (x, y), [i * part for i, part in enumerate(z, 1)])
        return *z, dx, dy, outer.gradient(dx, x)

    run = tf.function(all_of) if graph else all_of
    for ours, expected in zip(run(function), all_of(plain), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=atol)


def test_only_large_tensors_are_compiled():
    def plus_one(x):
        traced.append(tf.inside_function())
        return x + 1.0

    traced: list[bool] = []
    function = compiled.without_gradient(plus_one)
    function(tf.zeros(5))
    assert traced == [False]
    large = tf.zeros(2**18)
    np.testing.assert_array_equal(function(large), np.ones(2**18))
    np.testing.assert_array_equal(function(large), np.ones(2**18))
    assert traced == [False, True]  # traced once


def test_many_shapes_bring_no_warning(caplog):
    function = compiled.without_gradient(lambda x: x * 2.0)
    for i in range(12):
        function(tf.zeros(2**17 + i))
    assert "retracing" not in caplog.text
