"""Writes an evaluation to a folder: numbers, curves, pictures, and a page that shows them."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hvp.errors import writing
from hvp.evaluation.futures import SAMPLES_AT_ONCE
from hvp.evaluation.open_loop import KINDS, RECONSTRUCTION, OpenLoopResult
from hvp.evaluation.page import report_page
from hvp.evaluation.plain import number, overall, per_frame
from hvp.evaluation.scorecard.record import scorecard_columns, scorecard_record
from hvp.metrics.protocols import find_protocol
from hvp.metrics.registry import METRICS
from hvp.metrics.statistics import CONFIDENCE
from hvp.provenance import made_with

_KIND_NAMES = {"best": "best_of_n", "mean": "mean_over_samples", "copy_last": "copy_last_frame"}
_KIND_NAMES |= {RECONSTRUCTION: RECONSTRUCTION}


def write_report(
    result: OpenLoopResult,
    folder: str | Path,
    about: Mapping[str, Any],
    gallery: bool = True,
    fvd: Mapping[str, Any] | None = None,
) -> Path:
    """Writes metrics.json, metrics.csv, examples.csv, the figures, the gallery and report.html.

    Args:
        result: of `evaluate`.
        folder: an existing folder.
        about: what the result does not know of itself: experiment, checkpoint, data set, split,
            batch size; goes into the protocol as it is.
        gallery: whether to draw sample grids and GIFs; the curves are drawn in any case.
        fvd: of `PredictionDistance.record`, if it was measured.

    Returns:
        The path of report.html.

    Raises:
        UserError: if the folder cannot be written to.
    """
    from hvp.evaluation import curves

    folder = Path(folder)
    report = {
        **_numbers(result),
        "fvd": fvd,
        "extremes": _extremes(result),
        "cost": None if result.cost is None else result.cost.record(),
        "protocol": describe_protocol(result, about),
    }
    with writing(folder):
        (folder / "metrics.json").write_text(
            json.dumps(report, indent=2, allow_nan=False, default=str), encoding="utf-8"
        )
        _write_frames(result, folder / "metrics.csv")
        _write_examples(result, folder / "examples.csv")
        curves.save_curves(result, folder / "curves.png")
        curves.save_spectra(result, folder / "spectra.png")
        _draw_scorecard(result, folder)
        shown = []
        if gallery:
            for number, example in enumerate(result.gallery, 1):
                shown.append(_draw(example, number, result.settings.context, folder))
        page = folder / "report.html"
        page.write_text(report_page(report, shown), encoding="utf-8")
    return page


def _numbers(result: OpenLoopResult) -> dict[str, Any]:
    """Summary, curves, spectra and scorecard as plain values."""
    curves = {
        metric: {_KIND_NAMES[kind]: curve for kind, curve in kinds.items()}
        for metric, kinds in result.curves.items()
    }
    return {
        "summary": {
            metric: {kind: overall(curve) for kind, curve in kinds.items()}
            for metric, kinds in curves.items()
        },
        "per_frame": {
            metric: {kind: per_frame(curve) for kind, curve in kinds.items()}
            for metric, kinds in curves.items()
            if METRICS[metric].of == "frame"
        },
        "latents": [dataclasses.asdict(level) for level in result.levels],
        "spectra": {
            domain: {
                "frequency": spectrum.frequency.tolist(),
                **{kind: energy.tolist() for kind, energy in spectrum.energy.items()},
            }
            for domain, spectrum in result.spectra.items()
        },
        "scorecard": scorecard_record(result.scorecard),
    }


def _extremes(result: OpenLoopResult) -> dict[str, dict[str, str]]:
    """Names of the best and the worst context by each metric's mean over samples and frames."""
    extremes = {}
    for metric in result.curves:
        scores = [row[f"{metric}_mean"] for row in result.examples]
        low, high = (
            result.examples[int(np.argmin(s))]["name"] for s in (scores, np.negative(scores))
        )
        best, worst = (high, low) if METRICS[metric].higher_is_better else (low, high)
        extremes[metric] = {"best": best, "worst": worst}
    return extremes


def describe_protocol(result: OpenLoopResult, about: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that decides the numbers, as plain values."""
    settings = result.settings
    protocol = find_protocol(settings.protocol)
    height, width, channels = result.frame_shape
    return {
        **protocol.describe(settings.metrics),
        "predictions_clipped_by_model": protocol.clip_predictions,
        "context": settings.context,
        "horizon": settings.horizon,
        "num_contexts": result.num_examples,
        "num_videos": result.num_videos,
        "num_samples": settings.num_samples,
        "height": height,
        "width": width,
        "channels": channels,
        "frame_stride": 1,
        "seed": settings.seed,
        "sampling": (
            f"one seed per context and group of {SAMPLES_AT_ONCE} samples, folded from `seed`; "
            "independent of the batch size"
        ),
        "best_of_n": KINDS["best"],
        "aggregation": (
            "per frame of the horizon: mean over contexts; overall: mean over the horizon, then "
            "over contexts"
        ),
        "confidence_intervals": CONFIDENCE,
        "network_weights_sha256": result.weights_sha256,
        **about,
        **made_with(),
    }


def _draw(example: Any, number: int, context: int, folder: Path) -> dict[str, str]:
    """Draws one example; file names by figure, with the clip's name."""
    from hvp.drawing import comparison

    files = {
        "name": example.name,
        "grid": f"grid_{number}.png",
        "comparison": f"comparison_{number}.gif",
    }
    comparison.save_grid(example, context, folder / files["grid"])
    comparison.save_comparison_gif(example, context, folder / files["comparison"])
    if example.stddev is not None:
        files["uncertainty"] = f"uncertainty_{number}.gif"
        comparison.save_uncertainty_gif(example, context, folder / files["uncertainty"])
    example.release()
    return files


def _draw_scorecard(result: OpenLoopResult, folder: Path) -> None:
    from hvp.evaluation.scorecard.figures import save_scorecard
    from hvp.evaluation.scorecard.regions import save_regions

    card = result.scorecard
    if card.regions is not None:
        save_scorecard(card, folder / "scorecard.png")
        context = result.settings.context
        save_regions(card.regions, result.gallery, context, folder / "regions.png")


def _write_frames(result: OpenLoopResult, path: Path) -> None:
    columns: dict[str, np.ndarray] = {}
    for metric, kinds in result.curves.items():
        if METRICS[metric].of == "video":
            continue
        for kind, curve in kinds.items():
            columns[f"{metric}_{kind}"] = curve.mean
            columns[f"{metric}_{kind}_ci95"] = curve.interval
    columns |= scorecard_columns(result.scorecard, result.settings.horizon)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["predicted_frame", "video_frame", *columns])
        for step in range(result.settings.horizon):
            values = (number(column[step]) for column in columns.values())
            writer.writerow([step + 1, result.settings.context + step + 1, *values])


def _write_examples(result: OpenLoopResult, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(result.examples[0]))
        writer.writeheader()
        writer.writerows(result.examples)
