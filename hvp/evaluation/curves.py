"""Curves of an evaluation: metrics over the horizon, energy by frequency."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib
import matplotlib.ticker
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hvp.errors import writing
from hvp.evaluation.open_loop import OpenLoopResult
from hvp.metrics.registry import METRICS

_LINES = {"best": "#d97706", "mean": "#2563eb", "copy_last": "#6b7280"}


def save_curves(result: OpenLoopResult, path: Path) -> None:
    """One panel a metric over the horizon, with 95 % intervals shaded."""
    metrics = list(result.curves)
    columns = min(len(metrics), 3)
    rows = math.ceil(len(metrics) / columns)
    figure = Figure(figsize=(4.4 * columns, 3.2 * rows), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    steps = np.arange(1, result.settings.horizon + 1)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, metric in zip(panels, metrics, strict=False):
        for kind, label in _line_labels(result.settings.num_samples).items():
            curve, colour = result.curves[metric][kind], _LINES[kind]
            style = "--" if kind == "copy_last" else "-"
            # A single predicted frame makes a point, not a line.
            marker = "o" if len(steps) == 1 else None
            panel.plot(steps, curve.mean, style, marker=marker, color=colour, lw=1.6, label=label)
            panel.fill_between(
                steps,
                curve.mean - curve.interval,
                curve.mean + curve.interval,
                color=colour,
                alpha=0.18,
                lw=0,
            )
        arrow = "higher is better" if METRICS[metric].higher_is_better else "lower is better"
        panel.set_title(f"{METRICS[metric].label}  ({arrow})", fontsize=10, loc="left")
        panel.set_xlabel("predicted frame", fontsize=9)
        panel.tick_params(labelsize=8)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
        panel.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    for panel in panels[len(metrics) :]:
        panel.set_axis_off()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    with writing(path):
        figure.savefig(path)


def save_spectra(result: OpenLoopResult, path: Path) -> None:
    """Energy by spatial and by temporal frequency: truth, prediction, error; logarithmic."""
    titles = {
        "spatial": "by spatial frequency (cycles per pixel)",
        "temporal": "by temporal frequency (cycles per frame)",
    }
    lines = {"truth": ("#2563eb", "-"), "prediction": ("#d97706", "-"), "error": ("#6b7280", "--")}
    figure = Figure(figsize=(9, 3.4), layout="constrained", dpi=120)
    panels = figure.subplots(1, 2)
    for panel, (domain, spectrum) in zip(panels, result.spectra.items(), strict=True):
        for kind, energy in spectrum.energy.items():
            colour, style = lines[kind]
            shown = np.maximum(energy, 1e-12)  # what a float32 transform leaves of nothing
            marker = "o" if len(energy) < 3 else None
            panel.plot(spectrum.frequency, shown, style, color=colour, label=kind, marker=marker)
        panel.set_yscale("log")
        panel.set_title(f"energy {titles[domain]}", fontsize=10)
        panel.grid(alpha=0.25)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    with writing(path):
        figure.savefig(path)


def _line_labels(num_samples: int) -> dict[str, str]:
    if num_samples == 1:
        return {"mean": "model, 1 sample", "copy_last": "copy last frame"}
    return {
        "best": f"best of {num_samples} samples",
        "mean": f"mean over {num_samples} samples",
        "copy_last": "copy last frame",
    }
