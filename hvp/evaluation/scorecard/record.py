"""The scorecard as plain values, for metrics.json, metrics.csv and TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hvp.evaluation.plain import number, numbers, overall, per_frame
from hvp.evaluation.scorecard.ranks import RankHistogram
from hvp.evaluation.scorecard.tally import BestOf, Scorecard
from hvp.metrics.ensemble.registry import SCORES

POINT_FORECAST = {
    True: "a deterministic model: its one future is judged as a point forecast, whose CRPS is the "
    "mean absolute error and whose energy score is the root mean squared error; there is no "
    "doubt to judge",
    False: "one sample: it is judged as a point forecast, whose CRPS is the mean absolute error; "
    "--num-samples 5 or more judges the model's doubt",
}


def scorecard_record(card: Scorecard) -> dict[str, Any]:
    """All of it but the regions, which are pictures."""
    record: dict[str, Any] = {"num_samples": card.num_samples}
    if card.num_samples == 1:
        record["point_forecast"] = POINT_FORECAST[card.deterministic]
    curves = {**card.scores, **{name: {"ratio": curve} for name, curve in card.ratios.items()}}
    record["scores"] = {
        name: {
            "question": SCORES[name].question,
            "unit": SCORES[name].unit,
            "calibrated": SCORES[name].calibrated,
            "predicted_frames": (card.steps[name] + 1).tolist(),
            "summary": {part: overall(curve) for part, curve in parts.items()},
            "per_frame": {part: per_frame(curve) for part, curve in parts.items()},
        }
        for name, parts in curves.items()
    }
    if card.ranks:
        record["ranks"] = {name: _ranks(histogram) for name, histogram in card.ranks.items()}
        record["best_of_n"] = {name: _best_of(curve) for name, curve in card.best_of.items()}
    return record


def _ranks(histogram: RankHistogram) -> dict[str, Any]:
    return {
        "shares": numbers(histogram.shares),
        "ci95": numbers(histogram.interval),
        "reliability": number(histogram.reliability),
        "reliability_by_chance": number(histogram.by_chance),
        "mean_rank": overall(histogram.mean_rank),
        "coverage": {
            "nominal": numbers(histogram.nominal),
            "observed": numbers(histogram.coverage),
            "ci95": numbers(histogram.coverage_interval),
        },
        "per_frame": {
            "shares": numbers(histogram.step_shares),
            "reliability": numbers(histogram.step_reliability),
            "reliability_by_chance": numbers(histogram.step_by_chance),
            "mean_rank": per_frame(histogram.mean_rank),
            "coverage": numbers(histogram.step_coverage),
        },
    }


def _best_of(curve: BestOf) -> dict[str, Any]:
    record = {
        "n": list(range(1, len(curve.mean) + 1)),
        "mean": numbers(curve.mean),
        "ci95": numbers(curve.interval),
    }
    if curve.calibrated is not None and curve.calibrated_interval is not None:
        record["calibrated"] = numbers(curve.calibrated)
        record["calibrated_ci95"] = numbers(curve.calibrated_interval)
    return record


def scorecard_columns(card: Scorecard, horizon: int) -> dict[str, np.ndarray]:
    """Columns of metrics.csv, `(horizon,)` each; NaN for frames that were not scored."""
    columns = {}
    for name, parts in card.scores.items():
        for part, curve in parts.items():
            column = name if part == "score" else f"{name}_{part}"
            columns[column] = _over(card.steps[name], curve.mean, horizon)
            columns[f"{column}_ci95"] = _over(card.steps[name], curve.interval, horizon)
    for name, curve in card.ratios.items():
        columns[name] = _over(card.steps[name], curve.mean, horizon)
        columns[f"{name}_ci95"] = _over(card.steps[name], curve.interval, horizon)
    for name, ranks in card.ranks.items():
        steps = card.steps["crps"]
        columns[f"rank_reliability_{name}"] = _over(steps, ranks.step_reliability, horizon)
        columns[f"mean_rank_{name}"] = _over(steps, ranks.mean_rank.mean, horizon)
    return columns


def _over(steps: np.ndarray, values: np.ndarray, horizon: int) -> np.ndarray:
    column = np.full(horizon, np.nan)
    column[steps] = values
    return column


def scorecard_scalars(card: Scorecard) -> dict[str, float]:
    """One number a score, for TensorBoard."""
    scalars = {}
    for name, parts in card.scores.items():
        for part, curve in parts.items():
            scalars[f"scorecard/{name}" + ("" if part == "score" else f"_{part}")] = curve.overall
    scalars |= {f"scorecard/{name}": curve.overall for name, curve in card.ratios.items()}
    for name, ranks in card.ranks.items():
        scalars[f"scorecard/rank_reliability_{name}"] = ranks.reliability
        scalars[f"scorecard/widest_interval_coverage_{name}"] = float(ranks.coverage[0])
    return {name: value for name, value in scalars.items() if np.isfinite(value)}


def write_events(card: Scorecard, folder: Path, step: int) -> None:
    """TensorBoard events of an evaluation, in its folder, at the checkpoint's step."""
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step):
        for name, value in scorecard_scalars(card).items():
            tf.summary.scalar(name, value)
    writer.close()
