"""What is kept of an evaluated experiment so that it can be compared with others."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from hvp.drawing.examples import Example
from hvp.evaluation.cost import Cost
from hvp.evaluation.open_loop import OpenLoopResult
from hvp.evaluation.plain import number
from hvp.evaluation.recursion import high_frequency_energy
from hvp.files import replacing
from hvp.metrics.ensemble.registry import SCORES
from hvp.metrics.registry import METRICS

FORECAST_SCORES, RATIOS = ("crps", "energy"), ("spread_skill", "diversity")
POINT_FORECASTS = (
    "CRPS and energy score judge the samples as a forecast; those of a deterministic model, or of "
    "one sample, are its mean absolute and root mean squared error"
)
SCORES_FILE = "scores.json"
EXAMPLE_FILE = "example.npz"


@dataclasses.dataclass(frozen=True)
class Measure:
    """One quantity, of every example and along a curve.

    Attributes:
        label: for tables and curves, with the unit.
        higher_is_better: None where what is nearest to the reference is best.
        decimals: digits worth printing.
        axis: what the curve runs over.
        values: one an example.
        curve, interval: mean over the examples and half width of its 95 % interval, at each place.
        reference: of the same examples, by what needs no model.
        reference_curve: its mean.
    """

    label: str
    higher_is_better: bool | None
    decimals: int
    axis: str
    values: list[float]
    curve: list[float]
    interval: list[float]
    reference: list[float]
    reference_curve: list[float]


@dataclasses.dataclass(frozen=True)
class Scores:
    """One experiment's measures.

    Attributes:
        reference: what the measures' references are of.
        videos: that the examples are of; those of one video follow each other.
        measures: key -> `Measure`.
        facts: further numbers by their label, without interval; None where one does not apply.
        protocol: what decides the numbers, in words.
        example: for pictures.
    """

    reference: str
    videos: list[str]
    measures: dict[str, Measure]
    facts: dict[str, float | None]
    protocol: str
    example: Example

    def save(self, folder: Path, fingerprint: str) -> None:
        """Writes `scores.json` and `example.npz`; the first comes last and makes them valid."""
        with replacing(folder / EXAMPLE_FILE) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, truth=self.example.truth, samples=self.example.samples)
        content: dict[str, Any] = {"fingerprint": fingerprint, "example_name": self.example.name}
        plain = dataclasses.replace(self, example=None)  # type: ignore[arg-type]  # arrays apart
        content["scores"] = dataclasses.asdict(plain)
        with replacing(folder / SCORES_FILE) as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")


def read_scores(folder: Path, fingerprint: str) -> Scores | None:
    """What `Scores.save` wrote under this fingerprint; None if it is not there or broken."""
    try:
        content = json.loads((folder / SCORES_FILE).read_text(encoding="utf-8"))
        if content["fingerprint"] != fingerprint:
            return None
        plain = content["scores"]
        with np.load(folder / EXAMPLE_FILE) as arrays:
            example = Example(content["example_name"], arrays["truth"], arrays["samples"], None)
        measures = {key: Measure(**measure) for key, measure in plain["measures"].items()}
        return Scores(**{**plain, "measures": measures, "example": example})
    except (OSError, ValueError, KeyError, TypeError):  # never written, or by another version
        return None


def scores_of_predictions(result: OpenLoopResult) -> Scores:
    """Of an open-loop evaluation: every metric, over the samples' mean and the best of several.

    And the scorecard: CRPS and energy score of the samples as a forecast, spread against skill.
    """
    kinds = {"mean": ""}
    if result.settings.num_samples > 1:
        kinds["best"] = f", best of {result.settings.num_samples}"
    measures = {
        metric + ("_best" if kind == "best" else ""): _measure(result, metric, kind, words)
        for metric in result.curves
        for kind, words in kinds.items()
    }
    measures |= {score: _of_samples(result, score) for score in FORECAST_SCORES}
    spectrum = result.spectra["spatial"]
    energy = {kind: high_frequency_energy(spectrum, kind) for kind in ("truth", "prediction")}
    settings = result.settings
    return Scores(
        reference="copy last frame",
        videos=result.videos,
        measures=measures,
        facts={
            "high frequencies / truth's": energy["prediction"] / energy["truth"],
            **{f"{SCORES[ratio].label} (1: honest)": _ratio(result, ratio) for ratio in RATIOS},
            **_cost_facts(result.cost),
        },
        protocol=(
            f"{settings.context} frames of context, {settings.horizon} predicted, "
            f"{settings.num_samples} sample{'s' * (settings.num_samples > 1)}; "
            f"{result.num_examples} contexts of {result.num_videos} test videos; protocol "
            f"{settings.protocol}; {POINT_FORECASTS}"
        ),
        example=result.gallery[0],
    )


def _measure(result: OpenLoopResult, metric: str, kind: str, words: str) -> Measure:
    about, curve = METRICS[metric], result.curves[metric][kind]
    columns: dict[str, Any] = {
        name: [row[f"{metric}_{name}"] for row in result.examples] for name in (kind, "copy_last")
    }
    return Measure(
        label=about.label + words,
        higher_is_better=about.higher_is_better,
        decimals=about.decimals,
        axis="predicted frame",
        values=columns[kind],
        curve=curve.mean.tolist(),
        interval=curve.interval.tolist(),
        reference=columns["copy_last"],
        reference_curve=result.curves[metric]["copy_last"].mean.tolist(),
    )


def _of_samples(result: OpenLoopResult, score: str) -> Measure:
    """A score of the scorecard; between the frames that were scored its curve is straight."""
    card, frames = result.scorecard, np.arange(result.settings.horizon)
    parts, steps = card.scores[score], card.steps[score]

    def over_horizon(values: np.ndarray) -> list[float]:
        return np.interp(frames, steps, values).tolist()

    return Measure(
        label=f"{SCORES[score].label}, samples",
        higher_is_better=False,
        decimals=4,
        axis="predicted frame",
        values=card.examples[score]["score"],
        curve=over_horizon(parts["score"].mean),
        interval=over_horizon(parts["score"].interval),
        reference=card.examples[score]["copy_last"],
        reference_curve=over_horizon(parts["copy_last"].mean),
    )


def _ratio(result: OpenLoopResult, name: str) -> float | None:
    found = result.scorecard.ratios.get(name)
    return None if found is None else number(found.overall)


def _cost_facts(cost: Cost | None) -> dict[str, float | None]:
    if cost is None:
        return {}
    flops = cost.flops_per_frame
    return {
        "GFLOP a frame": None if flops is None else flops / 1e9,
        "frames a second": 1000 / cost.milliseconds_per_frame,
        f"GiB, peak of the {cost.memory_of}": cost.peak_memory_gib,
    }
