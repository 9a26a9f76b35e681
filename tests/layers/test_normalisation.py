"""Layers in PyTorch's ways."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from hvp.layers.normalisation import batch_norm


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


def test_a_frozen_norm_keeps_its_statistics():
    norm = batch_norm("norm", trainable=False)
    norm(tf.ones((2, 2, 2, 3)) * 5.0, training=True)
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(3))
