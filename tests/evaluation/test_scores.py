"""What is kept of an evaluation: the scorecard's columns, beside the metrics'."""

from __future__ import annotations

import numpy as np
import pytest
from test_open_loop import CONTEXT, CopyLast, Noisy, batches, videos

from hvp.evaluation import OpenLoopSettings, evaluate
from hvp.evaluation.scores import read_scores, scores_of_predictions


def scored(model, horizon, samples):
    settings = OpenLoopSettings(CONTEXT, horizon, num_samples=samples, metrics=("mae",))
    return evaluate(model, batches(videos(frames=CONTEXT + horizon), 5), settings)


def test_samples_are_scored_as_a_forecast():
    horizon = 40  # of which the scorecard looks at 32
    result = scored(Noisy(height=16, width=16), horizon, samples=3)
    scores = scores_of_predictions(result)
    for name in ("crps", "energy"):
        measure, card = scores.measures[name], result.scorecard.scores[name]
        assert len(measure.values) == len(measure.reference) == len(scores.videos)
        assert np.mean(measure.values) == pytest.approx(card["score"].overall, rel=1e-5)
        assert np.mean(measure.reference) == pytest.approx(card["copy_last"].overall, rel=1e-5)
        assert len(measure.curve) == len(measure.interval) == horizon
        steps = result.scorecard.steps[name]
        np.testing.assert_allclose(np.array(measure.curve)[steps], card["score"].mean)
    assert np.mean(scores.measures["crps"].values) < 0.9 * np.mean(scores.measures["mae"].values)
    ratio = result.scorecard.ratios["spread_skill"].overall
    assert scores.facts["spread / skill (1: honest)"] == pytest.approx(ratio)


@pytest.mark.parametrize(("model", "samples"), [(CopyLast, 3), (Noisy, 1)])
def test_a_point_forecast_has_its_error_as_crps(model, samples, tmp_path):
    scores = scores_of_predictions(scored(model(height=16, width=16), 4, samples))
    for part in ("values", "curve", "reference"):
        crps, mae = (getattr(scores.measures[name], part) for name in ("crps", "mae"))
        np.testing.assert_allclose(crps, mae, rtol=1e-5)
    assert scores.facts["spread / skill (1: honest)"] is None
    assert "of a deterministic model, or of one sample, are its mean absolute" in scores.protocol
    scores.save(tmp_path, "key")
    assert read_scores(tmp_path, "key").facts == scores.facts
