"""The scorecard's curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from hvp.errors import writing
from hvp.evaluation.scorecard.ranks import RankHistogram
from hvp.evaluation.scorecard.tally import Scorecard
from hvp.metrics.ensemble.registry import SCORES
from hvp.metrics.statistics import Curve

_COLOURS = {
    "score": "#d97706",
    "spread": "#2563eb",
    "reliability": "#dc2626",
    "copy_last": "#6b7280",
    "ratio": "#d97706",
    "pixels": "#d97706",
    "projections": "#2563eb",
    "calibrated": "#6b7280",
}


def save_scorecard(card: Scorecard, path: Path) -> None:
    """Six panels: two scores over the horizon, spread / skill, ranks, coverage, best of n.

    Args:
        card: of several samples.
    """
    figure = Figure(figsize=(13.2, 7), dpi=110, layout="constrained")
    panels = figure.subplots(2, 3).ravel()
    for panel, name in zip(panels, ("crps", "energy"), strict=False):
        for part, curve in card.scores[name].items():
            _over_horizon(panel, card.steps[name], curve, part)
        panel.set_title(f"{SCORES[name].label} and its parts", fontsize=10, loc="left")
        panel.axhline(0, color="#9ca3af", lw=0.8)
    _over_horizon(panels[2], card.steps["crps"], card.ratios["spread_skill"], "ratio")
    panels[2].axhline(1, color=_COLOURS["calibrated"], ls="--", lw=1, label="honest")
    panels[2].set_title("spread / skill", fontsize=10, loc="left")
    _draw_ranks(panels[3], card.ranks)
    _draw_coverage(panels[4], card.ranks)
    _draw_best_of(panels[5], card)
    for panel in panels[:3]:
        panel.set_xlabel("predicted frame", fontsize=9)
    for panel in panels:
        panel.tick_params(labelsize=8)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(fontsize=8, frameon=False)
    with writing(path):
        figure.savefig(path)


def _over_horizon(panel: Any, steps: np.ndarray, curve: Curve, part: str) -> None:
    label = {"ratio": "model", "copy_last": "copy last frame"}.get(part, part)
    style = "--" if part == "copy_last" else "-"
    _shaded(panel, steps + 1, curve.mean, curve.interval, label, _COLOURS[part], style)


def _shaded(
    panel: Any,
    x: Sequence[float] | np.ndarray,
    mean: np.ndarray,
    interval: np.ndarray,
    label: str,
    colour: str,
    style: str = "-",
) -> None:
    marker = "o" if len(mean) < 3 else None
    panel.plot(x, mean, style, marker=marker, color=colour, lw=1.6, label=label)
    panel.fill_between(x, mean - interval, mean + interval, color=colour, alpha=0.15, lw=0)


def _draw_ranks(panel: Any, ranks: dict[str, RankHistogram]) -> None:
    for place, (name, histogram) in enumerate(ranks.items()):
        count = len(histogram.shares)
        x = np.arange(count) + 0.4 * place - 0.2
        panel.bar(
            x,
            histogram.shares,
            0.4,
            yerr=np.nan_to_num(histogram.interval),
            color=_COLOURS[name],
            error_kw={"elinewidth": 0.8},
            label=f"{name}: off by {histogram.reliability:.2f} (chance {histogram.by_chance:.2f})",
        )
        panel.axhline(1 / count, color=_COLOURS["calibrated"], ls="--", lw=1)
    panel.set_title("rank of the truth among the samples", fontsize=10, loc="left")
    panel.set_xlabel("samples that are darker than the truth", fontsize=9)


def _draw_coverage(panel: Any, ranks: dict[str, RankHistogram]) -> None:
    panel.plot((0, 1), (0, 1), "--", color=_COLOURS["calibrated"], lw=1, label="honest")
    for name, found in ranks.items():
        panel.errorbar(
            found.nominal,
            found.coverage,
            np.nan_to_num(found.coverage_interval),
            marker="o",
            ms=4,
            color=_COLOURS[name],
            lw=1.2,
            label=name,
        )
    panel.set_title("coverage of central intervals", fontsize=10, loc="left")
    panel.set_xlabel("stated probability", fontsize=9)


def _draw_best_of(panel: Any, card: Scorecard) -> None:
    best = card.best_of["squared_error"]
    assert best.calibrated is not None  # measured for this error
    assert best.calibrated_interval is not None
    n = np.arange(1, len(best.mean) + 1)
    _shaded(panel, n, best.mean, best.interval, "model", _COLOURS["score"])
    _shaded(
        panel,
        n[:-1],
        best.calibrated,
        best.calibrated_interval,
        "if its law were true",
        _COLOURS["calibrated"],
        "--",
    )
    panel.set_title("squared error of the best of n", fontsize=10, loc="left")
    panel.set_xlabel("n", fontsize=9)
