"""Likelihoods of frames against closed forms and against TFP's own distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from hvp.losses.likelihoods import frame_distribution, output_activation

tfd = tfp.distributions
ALL = ("normal", "laplace", "bernoulli", "logistic")
FRAME = (5, 4, 3)
STDDEV = 0.3
random = np.random.default_rng(0)
OUTPUTS = random.uniform(-0.2, 1.2, (2, 3, *FRAME)).astype(np.float32)
FRAMES = (random.integers(0, 256, (3, *FRAME)) / 255).astype(np.float32)


def closed_form(likelihood, x, loc, stddev):
    """Log-probabilities value by value, in float64."""
    x, loc = x.astype(np.float64), loc.astype(np.float64)
    if likelihood == "normal":
        return -((x - loc) ** 2) / (2 * stddev**2) - math.log(math.sqrt(2 * math.pi) * stddev)
    if likelihood == "laplace":
        return -np.abs(x - loc) * math.sqrt(2) / stddev - math.log(math.sqrt(2) * stddev)
    if likelihood == "bernoulli":
        probability = 1 / (1 + np.exp(-loc))
        return x * np.log(probability) + (1 - x) * np.log(1 - probability)

    def below(value):
        return 1 / (1 + np.exp(-(value - loc) * math.pi / (math.sqrt(3) * stddev)))

    low = np.where(x > 0.5 / 255, below(x - 0.5 / 255), 0)
    high = np.where(x < 1 - 0.5 / 255, below(x + 0.5 / 255), 1)
    return np.log(high - low)


@pytest.mark.parametrize("likelihood", ALL)
def test_log_probability_is_the_closed_form_summed_over_a_frame(likelihood):
    frames = frame_distribution(likelihood, tf.constant(OUTPUTS), STDDEV)
    assert isinstance(frames, tfd.Distribution)
    assert (frames.batch_shape, frames.event_shape) == ((2, 3), FRAME)
    expected = closed_form(likelihood, FRAMES, OUTPUTS, STDDEV).sum((-3, -2, -1))
    np.testing.assert_allclose(frames.log_prob(FRAMES), expected, rtol=2e-6, atol=2e-5)
    np.testing.assert_allclose(frames[1].log_prob(FRAMES), expected[1], rtol=2e-6, atol=2e-5)


def test_normal_frames_are_tfps_with_the_published_rounding():
    frames = frame_distribution("normal", tf.constant(OUTPUTS), STDDEV)
    assert isinstance(frames, tfd.Independent)
    plain = tfd.Independent(tfd.Normal(OUTPUTS, STDDEV), 3)
    np.testing.assert_allclose(frames.log_prob(FRAMES), plain.log_prob(FRAMES), rtol=1e-5)
    error = tf.reduce_sum(tf.square(FRAMES - OUTPUTS), axis=(2, 3, 4))
    values = math.prod(FRAME)
    nll = 0.5 * error / STDDEV**2 + 0.5 * values * math.log(2 * math.pi * STDDEV**2)
    np.testing.assert_array_equal(-frames.log_prob(FRAMES), nll)  # bit for bit
    np.testing.assert_array_equal(frames.mean(), OUTPUTS)
    returned = tf.function(lambda outputs: frame_distribution("normal", outputs, STDDEV))(OUTPUTS)
    np.testing.assert_allclose(returned.log_prob(FRAMES), -nll, rtol=1e-5)


@pytest.mark.parametrize("stddev", [0.002, 0.1, 2.0])
def test_the_discretised_logistic_is_normalised_over_256_levels(stddev):
    loc = np.array([-0.7, 0.0, 0.3, 0.5014, 1.0, 1.9], np.float32)
    frames = frame_distribution("logistic", tf.constant(loc[:, None, None, None]), stddev)
    levels = (np.arange(256, dtype=np.float32) / 255)[:, None, None, None, None]
    probability = np.exp(frames.log_prob(levels))  # (256, 6)
    np.testing.assert_allclose(probability.sum(0), 1, atol=1e-5)
    exact_mean = (probability * levels[..., 0, 0, 0]).sum(0)
    np.testing.assert_allclose(frames.mean()[:, 0, 0, 0], exact_mean, atol=0.5 / 255 + 1e-5)


@pytest.mark.parametrize("likelihood", ["normal", "laplace"])
def test_densities_integrate_to_one(likelihood):
    frames = frame_distribution(likelihood, tf.constant([[[[0.4]]]]), STDDEV)
    grid, step = np.linspace(-5, 6, 110001, retstep=True)
    density = np.exp(frames.log_prob(grid.astype(np.float32)[:, None, None, None, None]))
    assert density.sum() * step == pytest.approx(1, abs=1e-4)
    assert float(frames.stddev()[0, 0, 0, 0]) == pytest.approx(STDDEV, rel=1e-6)


def test_bernoulli_is_normalised_over_black_and_white():
    frames = frame_distribution("bernoulli", tf.constant([[[[-3.0]]], [[[0.5]]]]))
    both = np.exp(frames.log_prob(np.array([0.0, 1.0], np.float32)[:, None, None, None, None]))
    np.testing.assert_allclose(both.sum(0), 1, rtol=1e-6)
    np.testing.assert_allclose(frames.mean()[:, 0, 0, 0], 1 / (1 + np.exp([3.0, -0.5])), rtol=1e-6)
    assert output_activation("bernoulli") is None


def test_the_discretised_logistic_is_tfps_quantised_one():
    scale = STDDEV * math.sqrt(3) / math.pi
    levels = tfd.TransformedDistribution(
        tfd.Logistic(OUTPUTS.astype(np.float64) * 255, scale * 255),
        tfp.bijectors.Shift(np.float64(-0.5)),
    )
    theirs = tfd.QuantizedDistribution(levels, low=0.0, high=255.0)
    expected = tf.reduce_sum(theirs.log_prob(np.rint(FRAMES * 255.0)), (-3, -2, -1))
    ours = frame_distribution("logistic", tf.constant(OUTPUTS), STDDEV)
    np.testing.assert_allclose(ours.log_prob(FRAMES), expected, rtol=1e-6)


@pytest.mark.parametrize("likelihood", ALL)
def test_gradients_are_finite_and_samples_repeatable(likelihood):
    outputs = tf.constant([[-30.0, -1.0, 0.0], [0.5, 1.0, 30.0]])[..., None, None, None]
    for x in (0.0, 0.5, 1.0):
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            frames = frame_distribution(likelihood, outputs, 0.05)
            total = frames.log_prob(tf.fill((1, 1, 1), x))
        assert np.isfinite(tape.gradient(total, outputs)).all()
        assert np.isfinite(total).all()
    one, same, other = (frames.sample(2, seed=(seed, 0)) for seed in (1, 1, 2))
    assert one.shape == (2, *outputs.shape)
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0
    if likelihood in ("logistic", "bernoulli"):
        np.testing.assert_allclose(one * 255, np.rint(one * 255), atol=1e-4)
