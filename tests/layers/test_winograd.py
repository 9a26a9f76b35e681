"""Winograd's convolutions against direct summation in float64."""

import numpy as np
import pytest
import tensorflow as tf

from hvp.layers import winograd


def random(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("lengths", [(12,), (8, 12), (4, 8, 12)])
def test_convolution_is_that_of_direct_summation(lengths):
    taps = (3,) * len(lengths)
    x, kernel = random((2, *lengths, 64), 0), random((*taps, 64, 5), 1) / 8.0
    exact = tf.nn.convolution(tf.cast(x, tf.float64), tf.cast(kernel, tf.float64), padding="SAME")
    actual = winograd.convolve(tf.constant(x), tf.constant(kernel))
    error = np.abs(actual.numpy() - exact.numpy())
    assert error.max() < 3e-5 * np.abs(exact).max()


def test_gradients_are_those_of_direct_summation():
    x, kernel = tf.constant(random((2, 8, 8, 16), 0)), tf.constant(random((3, 3, 16, 8), 1))

    def gradients(convolve):
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            loss = tf.reduce_sum(tf.sin(convolve(x, kernel)))
        return tape.gradient(loss, (x, kernel))

    expected = gradients(lambda x, kernel: tf.nn.conv2d(x, kernel, 1, "SAME"))
    for a, b in zip(gradients(winograd.convolve), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(b).max())


@pytest.mark.parametrize(
    ("shape", "filters", "dtype", "suits"),
    [
        ((1, 64, 64, 64), 64, "float32", True),
        ((1, 8, 32, 32, 64), 64, "float32", True),
        ((1, 64, 64, 64), 64, "bfloat16", False),
        ((1, 64, 64, 64), 3, "float32", False),  # too few outputs
        ((1, 8, 8, 64), 64, "float32", False),  # too few tiles
        ((1, 66, 66, 64), 64, "float32", False),  # tiles do not fit
    ],
)
def test_taken_where_it_pays(monkeypatch, shape, filters, dtype, suits):
    kernel = tf.zeros((*(3,) * (len(shape) - 2), 64, filters), dtype)
    assert winograd.suits(tf.zeros(shape, dtype), kernel) is suits
    gpu = type("Device", (), {"device_type": "GPU"})
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda: [gpu])
    assert not winograd.suits(tf.zeros(shape, dtype), kernel)
