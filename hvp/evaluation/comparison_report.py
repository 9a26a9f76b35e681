"""Experiments side by side: a table with paired differences, curves, pictures, one page."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hvp.drawing.comparison import save_grid
from hvp.drawing.lines import BASELINE, Line, Panel, save_panels
from hvp.drawing.page import render_page
from hvp.errors import writing
from hvp.evaluation.comparison_rows import (
    Row,
    baseline_scores,
    compare_scores,
    markdown_table,
    reference_cells,
    table_cells,
)
from hvp.evaluation.comparison_run import Outcome
from hvp.evaluation.plain import fact, number
from hvp.evaluation.scores import Scores
from hvp.metrics.statistics import CONFIDENCE
from hvp.provenance import made_with

DIRECTIONS = {True: "higher is better", False: "lower is better", None: "nearest to real is best"}


def write_comparison(
    outcomes: Sequence[Outcome],
    folder: Path,
    title: str,
    about: Mapping[str, Mapping[str, Any]],
    stem: str = "comparison",
    reported: Sequence[Mapping[str, Any]] = (),
    made_by: Mapping[str, str] | None = None,
) -> Path:
    """Writes comparison.html, .md, .csv and .json, curves.csv, curves.png and examples.png.

    Args:
        outcomes: of `run_comparison`; the first has scores and is the baseline.
        folder: is made if need be.
        title: of the page.
        about: what each experiment is, `section.key` -> value.
        stem: of the first four files.
        reported: rows of the literature, shown apart: `model`, `source` and `values` by measure.
        made_by: what else the record says of its origin, such as the command.

    Returns:
        The page's path.
    """
    rows = compare_scores(outcomes)
    scored = {outcome.name: outcome.scores for outcome in outcomes if outcome.scores is not None}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        record = _record(outcomes, rows, title, about) | {
            "reported": list(reported),
            **(made_by or {}),
        }
        text = json.dumps(record, indent=2, default=str)
        (folder / f"{stem}.json").write_text(text, encoding="utf-8")
        _write_table(rows, outcomes, folder / f"{stem}.csv")
        table = markdown_table(outcomes, rows, reported)
        origin = _origin(outcomes, about, made_by) if made_by else ""
        (folder / f"{stem}.md").write_text(table + origin, encoding="utf-8")
        _write_curves(scored, folder / "curves.csv")
        save_panels(_panels(scored), folder / "curves.png")
        _draw_examples(scored, folder / "examples.png")
        page = folder / f"{stem}.html"
        page.write_text(
            _page(outcomes, rows, title, about, stem, reported, made_by or {}), encoding="utf-8"
        )
    return page


def _origin(
    outcomes: Sequence[Outcome],
    about: Mapping[str, Mapping[str, Any]],
    made_by: Mapping[str, str],
) -> str:
    """Below the table in Markdown: protocol, intervals, and what each row is of."""
    scores = baseline_scores(outcomes)
    keys = list(next(iter(about.values())))
    lines = [["", *keys, "updates made"], ["---"] * (len(keys) + 2)]
    for outcome in outcomes:
        facts = about.get(outcome.name, {})
        lines.append([outcome.name, *(str(facts.get(key, "")) for key in keys), str(outcome.step)])
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    made = ", ".join(f"{key} `{value}`" for key, value in made_by.items())
    return (
        f"\n{scores.protocol}. In brackets: differences from {outcomes[0].name}. Intervals: "
        f"{CONFIDENCE}.\n\n{table}\n{made}.\n"
    )


def _record(
    outcomes: Sequence[Outcome],
    rows: Mapping[str, Mapping[str, Row]],
    title: str,
    about: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    scores = baseline_scores(outcomes)
    return {
        "title": title,
        "baseline": outcomes[0].name,
        "protocol": scores.protocol,
        "confidence_intervals": CONFIDENCE,
        "measures": {
            key: {"label": measure.label, "better": DIRECTIONS[measure.higher_is_better]}
            for key, measure in scores.measures.items()
        },
        "experiments": {
            outcome.name: {
                "changes": dict(about.get(outcome.name, {})),
                "step": outcome.step,
                "parameters": outcome.parameters,
                "problem": outcome.problem or None,
                "facts": outcome.scores.facts if outcome.scores else {},
                "results": {
                    key: {name: _finite(value) for name, value in dataclasses.asdict(row).items()}
                    for key, row in rows.get(outcome.name, {}).items()
                },
            }
            for outcome in outcomes
        },
        scores.reference: {key: float(np.mean(m.reference)) for key, m in scores.measures.items()},
        **made_with(),
    }


def _finite(value: float | None) -> float | None:
    return None if value is None else number(value)


def _write_table(
    rows: Mapping[str, Mapping[str, Row]], outcomes: Sequence[Outcome], path: Path
) -> None:
    steps = {outcome.name: outcome.step for outcome in outcomes}
    columns = [field.name for field in dataclasses.fields(Row)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["experiment", "step", "measure", *columns])
        for name, measures in rows.items():
            for key, row in measures.items():
                values = [_finite(value) for value in dataclasses.astuple(row)]
                writer.writerow([name, steps[name], key, *values])
        for outcome in outcomes:
            for key, value in outcome.scores.facts.items() if outcome.scores else ():
                writer.writerow([outcome.name, outcome.step, key, value])


def _write_curves(scored: Mapping[str, Scores], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["experiment", "measure", "place", "mean", "ci95"])
        for name, scores in scored.items():
            for key, measure in scores.measures.items():
                for place, values in enumerate(zip(measure.curve, measure.interval, strict=True)):
                    writer.writerow([name, key, place + 1, *map(_finite, values)])


def _panels(scored: Mapping[str, Scores]) -> list[Panel]:
    first = next(iter(scored.values()))
    panels = []
    for key, measure in first.measures.items():
        lines = [
            Line(name, scores.measures[key].curve, scores.measures[key].interval)
            for name, scores in scored.items()
        ]
        lines.append(Line(first.reference, measure.reference_curve, colour=BASELINE, dashed=True))
        title = f"{measure.label}  ({DIRECTIONS[measure.higher_is_better]})"
        panels.append(Panel(title, measure.axis, lines))
    return panels


def _draw_examples(scored: Mapping[str, Scores], path: Path) -> None:
    """One example by every experiment, below the truth or a real video."""
    first = next(iter(scored.values())).example
    samples = np.concatenate([scores.example.samples[:1] for scores in scored.values()])
    together = dataclasses.replace(first, samples=samples, stddev=None)
    save_grid(together, len(first.truth) - samples.shape[1], path, labels=list(scored))


def _page(
    outcomes: Sequence[Outcome],
    rows: Mapping[str, Mapping[str, Row]],
    title: str,
    about: Mapping[str, Mapping[str, Any]],
    stem: str,
    reported: Sequence[Mapping[str, Any]],
    made_by: Mapping[str, str],
) -> str:
    scores = baseline_scores(outcomes)
    facts = list(scores.facts)
    return render_page(
        "comparison.html",
        title=title,
        baseline=outcomes[0].name,
        protocol=scores.protocol,
        confidence=CONFIDENCE,
        measures=[
            {"label": measure.label, "direction": DIRECTIONS[measure.higher_is_better]}
            for measure in scores.measures.values()
        ],
        facts=facts,
        reference=scores.reference,
        reference_cells=reference_cells(scores),
        stem=stem,
        made_by=made_by,
        reported=[
            {**row, "cells": [row["values"].get(key, "") for key in scores.measures]}
            for row in reported
        ],
        experiments=[
            {
                "name": outcome.name,
                "changes": [f"{k}: {v}" for k, v in about.get(outcome.name, {}).items()],
                "step": outcome.step,
                "parameters": f"{outcome.parameters:,}",
                "problem": outcome.problem,
                "cells": table_cells(rows.get(outcome.name, {}), scores.measures),
                "facts": [fact(outcome.scores.facts.get(key)) for key in facts]
                if outcome.scores
                else [],
            }
            for outcome in outcomes
        ],
    )
