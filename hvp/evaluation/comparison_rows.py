"""The rows of a comparison: means, and paired differences from the baseline."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hvp.errors import UserError
from hvp.evaluation.comparison_run import Outcome
from hvp.evaluation.plain import fact, with_interval
from hvp.evaluation.scores import Measure, Scores
from hvp.metrics.statistics import mean_and_interval


@dataclasses.dataclass(frozen=True)
class Row:
    """One measure of one experiment.

    Attributes:
        mean, interval: over the examples, and half width of the 95 % interval over videos.
        difference, difference_interval: from the baseline, example by example; None for itself.
    """

    mean: float
    interval: float
    difference: float | None = None
    difference_interval: float | None = None

    @property
    def differs(self) -> bool:
        """Whether the interval of the difference leaves 0 out."""
        if self.difference is None or self.difference_interval is None:
            return False
        return abs(self.difference) > self.difference_interval


def compare_scores(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Row]]:
    """Experiment -> measure -> `Row`, of those that have scores; the first is the baseline.

    Raises:
        UserError: if they were not scored on the same examples.
    """
    scored = {outcome.name: outcome.scores for outcome in outcomes if outcome.scores is not None}
    base = next(iter(scored.values()))
    for name, scores in scored.items():
        if scores.videos != base.videos or list(scores.measures) != list(base.measures):
            raise UserError(
                f"{name}: was scored on other examples or by other measures than the baseline"
            )
    return {
        name: {
            key: _row(measure, None if scores is base else base.measures[key], scores.videos)
            for key, measure in scores.measures.items()
        }
        for name, scores in scored.items()
    }


def _row(measure: Measure, base: Measure | None, videos: Sequence[str]) -> Row:
    values = np.array(measure.values)
    row = Row(*mean_and_interval(values, videos))
    if base is None:
        return row
    difference, interval = mean_and_interval(values - np.array(base.values), videos)
    return dataclasses.replace(row, difference=difference, difference_interval=interval)


@dataclasses.dataclass(frozen=True)
class Cell:
    """Mean and difference of one measure as text.

    Attributes:
        mean, difference: with half widths of their intervals; no difference for the baseline.
        differs: whether the difference's interval leaves 0 out.
    """

    mean: str
    difference: str
    differs: bool

    @property
    def marked(self) -> str:
        """The difference in Markdown."""
        return f"**{self.difference}**" if self.differs else self.difference


def table_cells(row: Mapping[str, Row], measures: Mapping[str, Measure]) -> list[Cell]:
    """A row as a page shows it."""
    cells = []
    for key, measure in measures.items():
        if key in row:
            found, digits = row[key], measure.decimals
            difference = with_interval(found.difference, found.difference_interval, digits, "+")
            cells.append(
                Cell(with_interval(found.mean, found.interval, digits), difference, found.differs)
            )
    return cells


def markdown_table(
    outcomes: Sequence[Outcome],
    rows: Mapping[str, Mapping[str, Row]],
    reported: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The comparison in Markdown; differences in bold where their interval leaves 0 out."""
    scores = baseline_scores(outcomes)
    head = ["", *(measure.label for measure in scores.measures.values()), *scores.facts]
    lines = [head, ["---"] * len(head)]
    for outcome in outcomes:
        if outcome.scores is None:
            lines.append([outcome.name, f"failed: {outcome.problem}", *[""] * (len(head) - 2)])
            continue
        cells = table_cells(rows[outcome.name], scores.measures)
        shown = [cell.mean + (f" ({cell.marked})" if cell.difference else "") for cell in cells]
        facts = [fact(outcome.scores.facts.get(key)) for key in scores.facts]
        lines.append([outcome.name, *shown, *facts])
    lines.append([scores.reference, *reference_cells(scores), *[""] * len(scores.facts)])
    for row in reported:
        values = (str(row["values"].get(key, "")) for key in scores.measures)
        name = f"{row['model']}, reported: {row['source']}"
        lines.append([name, *values, *[""] * len(scores.facts)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def baseline_scores(outcomes: Sequence[Outcome]) -> Scores:
    """Of the first experiment."""
    scores = outcomes[0].scores
    assert scores is not None  # `run_comparison` raises where the baseline has none
    return scores


def reference_cells(scores: Scores) -> list[str]:
    """The means of what needs no model."""
    return [
        f"{np.mean(measure.reference):.{measure.decimals}f}" for measure in scores.measures.values()
    ]
