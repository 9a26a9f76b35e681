"""Scores of samples against closed forms of Gaussian laws, and against scoringrules."""

import math
import statistics

import numpy as np
import pytest
import scoringrules
import tensorflow as tf

from hvp.metrics.ensemble.best_of import best_of, calibrated_best_of
from hvp.metrics.ensemble.crps import crps
from hvp.metrics.ensemble.diversity import diversity
from hvp.metrics.ensemble.energy import energy_score, squared_distances
from hvp.metrics.ensemble.ranks import (
    coverage,
    mean_rank,
    nominal_coverage,
    rank_reliability,
    rank_shares,
)
from hvp.metrics.ensemble.spread_skill import spread_and_skill
from hvp.metrics.ensemble.variogram import paired_values, variogram_score

N = 1000
NORMAL = statistics.NormalDist()


def normal(*shape, seed=0, scale=1.0):
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def quantiles(count):
    """Values that stand for a standard normal law without chance."""
    return np.array([NORMAL.inv_cdf((i + 0.5) / count) for i in range(count)], np.float32)


@pytest.mark.parametrize(("truth", "scale"), [(0.0, 1.0), (1.0, 1.0), (0.5, 0.1)])
def test_crps_of_a_normal_law(truth, scale):
    found = crps(tf.constant([[truth]]), tf.constant(scale * quantiles(N)[:, None, None]))
    z = truth / scale
    expected = scale * (z * (2 * NORMAL.cdf(z) - 1) + 2 * NORMAL.pdf(z) - 1 / math.sqrt(math.pi))
    assert float(found.score[0]) == pytest.approx(expected, abs=1e-3)
    # half the mean distance between two samples
    assert float(found.spread[0]) == pytest.approx(scale / math.sqrt(math.pi), rel=2e-3)


@pytest.mark.parametrize("count", [2, 5, 20])
def test_crps_is_that_of_scoringrules_whichever_way_it_is_computed(count):
    truth, samples = normal(3, 7), normal(count, 3, 7, seed=1)
    found = crps(tf.constant(truth), tf.constant(samples))
    expected = scoringrules.crps_ensemble(
        truth.astype(float), np.moveaxis(samples, 0, -1).astype(float), estimator="fair"
    )
    np.testing.assert_allclose(found.score, expected.mean(1), atol=1e-6)
    np.testing.assert_allclose(found.to_truth, np.abs(samples - truth).mean((0, 2)), rtol=1e-5)


def test_energy_score_of_a_normal_law():
    """E|X - X'| of standard normal vectors of 64 values; a thousand of them lie within 1e-3."""
    values = 64
    mean_norm = math.sqrt(2) * math.exp(math.lgamma((values + 1) / 2) - math.lgamma(values / 2))
    samples = normal(N, 1, values)
    found = energy_score(squared_distances(tf.zeros((1, values)), tf.constant(samples)), values)
    scale = math.sqrt(values)
    assert float(found.between[0]) == pytest.approx(math.sqrt(2) * mean_norm / scale, abs=1e-3)
    expected = (mean_norm - math.sqrt(2) * mean_norm / 2) / scale
    assert float(found.score[0]) == pytest.approx(expected, abs=1e-3)


def test_energy_and_variogram_scores_are_those_of_scoringrules():
    truth, samples = normal(3, 8), normal(6, 3, 8, seed=1)
    by_frame = np.moveaxis(samples, 0, 1).astype(float)
    energy = energy_score(squared_distances(tf.constant(truth), tf.constant(samples)))
    expected = scoringrules.es_ensemble(truth.astype(float), by_frame, estimator="fair")
    np.testing.assert_allclose(energy.score, expected, atol=1e-6)
    variogram = variogram_score(tf.constant(truth), tf.constant(samples))
    expected = scoringrules.vs_ensemble(
        truth.astype(float), by_frame, w=np.ones((3, 8, 8)), p=0.5, estimator="fair"
    )
    np.testing.assert_allclose(variogram.score, expected / (8 * 7), atol=1e-5)


def test_variogram_score_of_a_normal_law():
    """E|d|^(1/2) of a normal difference of variance 2."""
    truth = np.array([[0.0, 1.0]], np.float32)
    spread = np.concatenate([quantiles(N)[:, None], np.zeros((N, 1), np.float32)], 1)
    found = variogram_score(tf.constant(truth), tf.constant(math.sqrt(2) * spread[:, None]))
    mean = 2**0.25 * 2**0.25 * math.gamma(0.75) / math.sqrt(math.pi)
    assert float(found.score[0]) == pytest.approx((1 - mean) ** 2, abs=1e-3)
    variance = math.sqrt(2) * math.sqrt(2 / math.pi) - mean**2
    assert float(found.spread[0]) == pytest.approx(variance, abs=2e-3)


def test_near_samples_keep_their_distance():
    samples = 0.5 + normal(4, 1, 4096, scale=1e-6)
    found = squared_distances(tf.zeros((1, 4096)), tf.constant(samples))
    expected = np.square(samples[:, None] - samples[None])[:, :, 0].astype(float).sum(-1)
    np.testing.assert_allclose(found.between[0], expected, rtol=1e-3, atol=1e-13)


def test_a_single_sample_is_a_point_forecast():
    truth, sample = normal(3, 8), normal(1, 3, 8, seed=1)
    error = sample[0] - truth
    found = crps(tf.constant(truth), tf.constant(sample))
    np.testing.assert_allclose(found.score, np.abs(error).mean(1), rtol=1e-6)
    energy = energy_score(squared_distances(tf.constant(truth), tf.constant(sample)), 8)
    np.testing.assert_allclose(energy.score, np.sqrt(np.square(error).mean(1)), rtol=1e-6)
    assert np.all(found.between == 0)
    assert np.isfinite(variogram_score(tf.constant(truth), tf.constant(sample)).score).all()


@pytest.mark.parametrize("count", [2, 5])
def test_truths_of_the_samples_law_have_spread_equal_to_skill_and_reliability_0(count):
    """Whatever N is: the corrections for few samples are what makes it so."""
    drawn = normal(count + 1, 200, 400)
    truth, samples = tf.constant(drawn[0]), tf.constant(drawn[1:])
    spread, skill = (float(tf.reduce_mean(part)) for part in spread_and_skill(truth, samples))
    assert math.sqrt(spread / skill) == pytest.approx(1, abs=0.01)
    found = crps(truth, samples)
    assert np.mean(found.reliability) == pytest.approx(0, abs=0.01)
    assert np.mean(found.score) == pytest.approx(1 / math.sqrt(math.pi), abs=0.01)
    between, to_truth = diversity(energy_score(squared_distances(truth, samples)))
    assert np.mean(between) / np.mean(to_truth) == pytest.approx(1, abs=0.01)
    shares = rank_shares(truth, samples).numpy().mean(0)
    np.testing.assert_allclose(shares, 1 / (count + 1), atol=0.005)
    np.testing.assert_allclose(coverage(shares), nominal_coverage(count), atol=0.005)


def test_ranks_are_counted_and_ties_shared_out():
    truth = np.array([[0.5, 0.0, 2.0, 1.0]], np.float32)
    samples = np.array([0.0, 1.0], np.float32)[:, None, None] * np.ones((2, 1, 4), np.float32)
    shares = rank_shares(tf.constant(truth), tf.constant(samples)).numpy()[0]
    # between both: rank 1; equal to the lower: 0 or 1; above both: 2; equal to the upper: 1 or 2
    np.testing.assert_allclose(shares, np.array([0.5, 2.0, 1.5]) / 4)
    np.testing.assert_allclose(rank_reliability(shares), np.abs(shares - 1 / 3).sum())
    assert mean_rank(shares) == pytest.approx((2.0 / 2 + 1.5) / 4)


def test_coverage_of_a_forecast_that_is_too_narrow():
    truth = 2 * quantiles(N)
    samples = np.broadcast_to(quantiles(19)[:, None, None], (19, 1, N)).astype(np.float32)
    shares = rank_shares(tf.constant(truth[None]), tf.constant(samples)).numpy()[0]
    edges = quantiles(19)
    expected = [NORMAL.cdf(edges[18 - k] / 2) - NORMAL.cdf(edges[k] / 2) for k in range(9)]
    np.testing.assert_allclose(coverage(shares), expected, atol=2e-3)
    np.testing.assert_allclose(nominal_coverage(19)[:2], [0.9, 0.8])


def test_best_of_n_is_the_mean_over_all_subsets():
    errors = np.array([3.0, 1.0, 2.0])
    np.testing.assert_allclose(best_of(errors), [2.0, (1 + 1 + 2) / 3, 1.0])
    between = np.array([[0.0, 1.0, 4.0], [1.0, 0.0, 9.0], [4.0, 9.0, 0.0]])
    one, two = (1 + 4 + 1 + 9 + 4 + 9) / 6, (1 + 1 + 4) / 3
    np.testing.assert_allclose(calibrated_best_of(between), [one, two])


def test_best_of_n_of_an_honest_forecast_is_the_calibrated_one():
    drawn = normal(9, 4000, 1)
    squared = squared_distances(tf.constant(drawn[0]), tf.constant(drawn[1:]))
    own = calibrated_best_of(squared.between.numpy()).mean(0)
    np.testing.assert_allclose(best_of(squared.to_truth.numpy()).mean(0)[:7], own, rtol=0.06)


def test_variogram_pairs_are_of_the_frame_and_near_ones_count_more():
    chosen, weights = paired_values(6, 5, 3)
    assert chosen.max() < 6 * 5 * 3
    assert len(set(chosen)) == len(chosen) == len(weights) <= 64
    assert weights.max() == 1.0  # neighbours
    np.testing.assert_array_equal(np.diag(weights), 0)
    assert len(paired_values(64, 64, 1)[0]) > 56
    truth, samples = normal(2, 8), normal(4, 2, 8, seed=1)
    uneven = np.abs(normal(8, 8))
    found = variogram_score(tf.constant(truth), tf.constant(samples), uneven).score
    expected = scoringrules.vs_ensemble(
        truth.astype(float),
        np.moveaxis(samples, 0, 1).astype(float),
        w=np.stack([uneven] * 2),
        estimator="fair",
    )
    np.testing.assert_allclose(found, expected / uneven.sum(), atol=1e-5)
