"""The page that shows an evaluation; plain HTML that opens from disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from hvp.drawing.page import render_page
from hvp.evaluation.latents import quality_loss
from hvp.evaluation.open_loop import RECONSTRUCTION
from hvp.evaluation.plain import with_interval
from hvp.evaluation.scorecard.page import scorecard_section
from hvp.metrics.registry import METRICS

_DIRECTIONS = {True: "higher is better", False: "lower is better"}
_SHOWN_APART = ("description", "conventions")


def report_page(report: Mapping[str, Any], examples: Iterable[Mapping[str, str]]) -> str:
    """The page's HTML.

    Args:
        report: the content of metrics.json.
        examples: one mapping an example: its `name` and file names by figure.
    """
    protocol = report["protocol"]
    kinds = _kinds(protocol["num_samples"])
    levels = report.get("latents", [])
    if levels:
        kinds[RECONSTRUCTION] = "Reconstruction"
    return render_page(
        "report.html",
        title=f"{protocol.get('experiment', 'model')}: open-loop evaluation",
        headline=_headline(protocol),
        kinds=list(kinds.values()),
        results=[_result(name, row, list(kinds)) for name, row in report["summary"].items()],
        reading=_reading(protocol),
        fvd=report.get("fvd"),
        cost=report["cost"],
        extremes=[(METRICS[name].label, row) for name, row in report["extremes"].items()],
        card=scorecard_section(report),
        levels=levels,
        lost=quality_loss(report["summary"], levels) if levels else [],
        examples=list(examples),
        protocol=protocol,
        conventions=[
            {**convention, "metric": METRICS[metric].label}
            for metric, convention in protocol["conventions"].items()
        ],
        settings=[
            (key.replace("_", " "), _value(value))
            for key, value in protocol.items()
            if key not in _SHOWN_APART
        ],
    )


def _headline(protocol: Mapping[str, Any]) -> str:
    samples = protocol["num_samples"]
    parts = [
        f"{protocol['num_contexts']} contexts ({protocol['num_videos']} videos) of "
        f"{protocol['context']} frames, "
        f"{protocol['horizon']} predicted, {samples} sample{'s' if samples != 1 else ''} each",
        f"{protocol['height']}×{protocol['width']}×{protocol['channels']}",
        f"protocol {protocol['name']}",
        str(protocol["date"])[:16].replace("T", " "),
    ]
    return " · ".join(parts)


def _kinds(samples: int) -> dict[str, str]:
    """The columns: key of a summary -> heading."""
    if samples == 1:
        return {"mean_over_samples": "Model", "copy_last_frame": "Copy last frame"}
    return {
        "best_of_n": f"Best of {samples}",
        "mean_over_samples": f"Mean over {samples}",
        "copy_last_frame": "Copy last frame",
    }


def _result(name: str, row: Mapping[str, Any], kinds: list[str]) -> dict[str, Any]:
    metric = METRICS[name]
    means = {kind: row[kind]["mean"] for kind in kinds}
    rivals = [mean for kind, mean in means.items() if kind != RECONSTRUCTION]
    best = max(rivals) if metric.higher_is_better else min(rivals)
    return {
        "label": metric.label,
        "direction": _DIRECTIONS[metric.higher_is_better],
        "cells": [
            {
                "text": with_interval(row[kind]["mean"], row[kind]["ci95"], metric.decimals),
                "best": means[kind] == best and kind != RECONSTRUCTION,
            }
            for kind in kinds
        ],
    }


def _reading(protocol: Mapping[str, Any]) -> str:
    words = "Means over the horizon and all contexts"
    if protocol["num_videos"] > 1:
        words += (
            f", ± the half width of the confidence interval ({protocol['confidence_intervals']})"
        )
    else:
        words += "; contexts of a single video have no confidence interval"
    if protocol["num_samples"] > 1:
        words += f". Best of N: {protocol['best_of_n'].partition(': ')[2]}"
    return words + ". Bold: the best of the row."


def _value(value: Any) -> Any:
    """A setting as the page shows it: a mapping line by line, text as it is, the rest as JSON."""
    return value if isinstance(value, str | Mapping) else json.dumps(value)
