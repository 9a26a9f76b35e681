"""Scores on LPIPS features: their distance is LPIPS itself."""

import numpy as np
import pytest
import tensorflow as tf

import hvp
from hvp.evaluation.scorecard import frames
from hvp.evaluation.scorecard.frames import score_features
from hvp.evaluation.scorecard.tally import ScorecardTally

N, BATCH, STEPS = 3, 2, 5


@pytest.fixture
def lpips(lpips_weights):
    return hvp.metrics.LPIPS(lpips_weights)


@pytest.fixture
def videos():
    random = np.random.default_rng(0)
    truth = random.uniform(size=(BATCH, STEPS, 32, 32, 1)).astype(np.float32)
    noise = random.normal(0, 0.1, (N, *truth.shape)).astype(np.float32)
    return truth, np.clip(truth + noise, 0, 1)


def test_energy_score_on_features_is_of_the_root_of_lpips(lpips, videos, monkeypatch):
    truth, samples = (tf.constant(video[..., :1, :2, :, :, :]) for video in videos)
    found = score_features(lpips, truth, samples)
    energy = found["energy_lpips"]
    assert energy.score.shape == (1, 2)
    to_truth = np.sqrt(lpips(truth, samples)).mean(0)
    np.testing.assert_allclose(energy.to_truth, to_truth, rtol=1e-4)
    pairs = [(0, 1), (0, 2), (1, 2)]
    between = np.mean([np.sqrt(lpips(samples[i], samples[j])) for i, j in pairs], 0)
    np.testing.assert_allclose(energy.between, between, rtol=1e-4)
    # a few frames at a time, the network a few pixels at a time
    monkeypatch.setattr(frames, "PIXELS_AT_ONCE", 3 * 32 * 32)
    parts = score_features(lpips, truth, samples)
    for name, kernel in found.items():
        np.testing.assert_allclose(parts[name].score, kernel.score, rtol=1e-4, atol=1e-7)


def test_the_scorecard_sees_features_at_a_few_frames(lpips, videos):
    truth, samples = videos
    tally = ScorecardTally(STEPS, N, stochastic=True, lpips=lpips)
    tally.keep(tf.constant(samples))
    tally.update(tf.constant(truth[:, :1]), tf.constant(truth), ["a", "b"])
    card = tally.result()
    assert len(card.steps["crps"]) == STEPS
    assert list(card.steps["energy_lpips"]) == [0, 1, 3, 4]
    scores = card.scores["energy_lpips"]
    assert scores["score"].overall == pytest.approx(
        scores["spread"].overall + scores["reliability"].overall
    )
    assert "variogram_lpips" in card.scores
