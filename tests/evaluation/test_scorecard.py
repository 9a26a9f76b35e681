"""The scorecard, gathered batch by batch: toy laws, and what the files say."""

import numpy as np
import pytest
import tensorflow as tf

from hvp.evaluation.scorecard.record import scorecard_columns, scorecard_record, scorecard_scalars
from hvp.evaluation.scorecard.tally import ScorecardTally

SHAPE = (3, 6, 5, 1)  # steps, height, width, channels


def forecast(contexts=8, count=4, scale=1.0, seed=0):
    """Truths and samples around the same means."""
    random = np.random.default_rng(seed)
    means = random.uniform(0.4, 0.6, size=(contexts, *SHAPE))
    truth = means + 0.05 * random.normal(size=means.shape)
    samples = means + 0.05 * scale * random.normal(size=(count, *means.shape))
    return truth.astype(np.float32), samples.astype(np.float32)


def card_of(truth, samples, batch=3, stochastic=True, videos=None):
    tally = ScorecardTally(truth.shape[1], len(samples), stochastic)
    names = videos or [f"video {i}" for i in range(len(truth))]
    for first in range(0, len(truth), batch):
        some = slice(first, first + batch)
        half = (len(samples) + 1) // 2
        for part in (samples[:half], samples[half:]):
            if len(part):
                tally.keep(tf.constant(part[:, some]))
        last = np.full_like(truth[some, :1], 0.5)
        tally.update(tf.constant(last), tf.constant(truth[some]), names[some])
        tally.update_metrics(
            {"psnr": np.arange(len(samples) * len(truth[some]) * 3.0).reshape(len(samples), -1, 3)},
            names[some],
        )
    return tally.result()


@pytest.fixture(scope="module")
def honest():
    return card_of(*forecast())


def test_an_honest_forecast_is_found_honest(honest):
    assert set(honest.scores) == {"crps", "energy", "variogram"}
    for ratio in honest.ratios.values():
        assert ratio.overall == pytest.approx(1, abs=0.1)
    crps = honest.scores["crps"]
    assert crps["score"].overall == pytest.approx(0.05 / np.sqrt(np.pi), rel=0.1)
    assert abs(crps["reliability"].overall) < 0.005
    assert crps["copy_last"].overall > 1.5 * crps["score"].overall
    ranks = honest.ranks["pixels"]
    assert ranks.shares.sum() == pytest.approx(1)
    assert ranks.reliability < 3 * ranks.by_chance
    np.testing.assert_allclose(ranks.coverage, ranks.nominal, atol=0.06)
    best = honest.best_of["squared_error"]
    np.testing.assert_allclose(best.mean[:3], best.calibrated, rtol=0.1)
    assert np.all(np.diff(best.mean) < 0)
    assert honest.regions.spread.shape == (6, 5)
    np.testing.assert_allclose(honest.regions.spread.mean(), 0.05 * np.sqrt(5 / 4), rtol=0.1)


@pytest.mark.parametrize(("scale", "sign"), [(0.3, 1), (3.0, -1)])
def test_too_sure_and_too_wide_forecasts_are_told_apart(scale, sign):
    card = card_of(*forecast(scale=scale))
    assert sign * np.log(card.ratios["spread_skill"].overall) < -0.4
    assert sign * np.log(card.ratios["diversity"].overall) < -0.3
    assert sign * card.scores["energy"]["reliability"].overall > 0.005
    ranks = card.ranks["pixels"]
    assert ranks.reliability > 5 * ranks.by_chance
    assert sign * (ranks.coverage[0] - ranks.nominal[0]) < -0.1
    best = card.best_of["squared_error"]
    assert sign * (best.mean[2] - best.calibrated[2]) > 0


def test_batches_do_not_change_the_scorecard(honest):
    other = scorecard_record(card_of(*forecast(), batch=8))
    for name, score in scorecard_record(honest)["scores"].items():
        for part, value in score["summary"].items():
            assert other["scores"][name]["summary"][part] == pytest.approx(value, rel=1e-5)


def test_intervals_are_over_videos(honest):
    one = card_of(*forecast(), videos=["same"] * 8)
    assert np.isnan(one.scores["crps"]["score"].overall_interval)
    assert scorecard_record(one)["scores"]["crps"]["summary"]["score"]["ci95"] is None
    assert honest.ratios["spread_skill"].overall_interval > 0


@pytest.mark.parametrize(("count", "stochastic"), [(1, True), (4, False)])
def test_a_point_forecast_gets_what_applies_and_says_so(count, stochastic):
    truth, samples = forecast(count=count)
    card = card_of(truth, np.repeat(samples[:1], count, 0), stochastic=stochastic)
    assert card.scores["crps"]["score"].overall == pytest.approx(np.abs(samples[0] - truth).mean())
    assert not card.ratios
    assert not card.ranks
    assert card.regions is None
    record = scorecard_record(card)
    word = "one sample" if stochastic else "deterministic"
    assert record["point_forecast"].startswith(("a " if word[0] == "d" else "") + word)
    assert "reliability" not in record["scores"]["crps"]["summary"]


def test_long_horizons_are_scored_at_some_frames_whatever_the_batch():
    assert list(ScorecardTally(5, 5, True).steps) == [0, 1, 2, 3, 4]
    few = ScorecardTally(264, 100, True).steps
    assert len(few) == 6
    assert (few[0], few[-1]) == (0, 263)
    assert len(ScorecardTally(264, 5, True).steps) == 32


def test_columns_and_scalars(honest):
    columns = scorecard_columns(honest, 3)
    np.testing.assert_allclose(columns["crps"], honest.scores["crps"]["score"].mean)
    assert {"crps_ci95", "energy_reliability", "spread_skill", "mean_rank_pixels"} <= set(columns)
    scalars = scorecard_scalars(honest)
    assert scalars["scorecard/crps"] == pytest.approx(honest.scores["crps"]["score"].overall)
    assert "scorecard/rank_reliability_projections" in scalars


def test_best_of_n_of_a_metric_where_more_is_better():
    card = card_of(*forecast(contexts=1), batch=1)
    np.testing.assert_allclose(card.best_of["psnr"].mean, [5.5, 7.0, 8.5, 10.0][::1], atol=2)
    assert card.best_of["psnr"].mean[-1] == pytest.approx(10.0)  # of 1, 4, 7, 10
    assert card.best_of["psnr"].mean[0] == pytest.approx(5.5)
