"""Curves of an evaluation: metrics over the horizon, energy by frequency."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from hvp.drawing.lines import BASELINE, Line, Panel, save_panels
from hvp.errors import writing
from hvp.evaluation.open_loop import OpenLoopResult
from hvp.metrics.registry import METRICS

_LINES = {"best": "#d97706", "mean": "#2563eb", "copy_last": BASELINE, "reconstruction": "#16a34a"}


def save_curves(result: OpenLoopResult, path: Path) -> None:
    """One panel a metric over the horizon, with 95 % intervals shaded."""
    panels = []
    for metric, curves in result.curves.items():
        about, horizon = METRICS[metric], result.settings.horizon
        lines = [
            Line(
                label,
                # A metric of whole videos is a level line.
                np.broadcast_to(curves[kind].mean, horizon),
                np.broadcast_to(curves[kind].interval, horizon),
                _LINES[kind],
                kind == "copy_last",
            )
            for kind, label in _line_labels(result.settings.num_samples).items()
            if kind in curves
        ]
        arrow = "higher is better" if about.higher_is_better else "lower is better"
        axis = "predicted frame" if about.of == "frame" else "all predicted frames"
        panels.append(Panel(f"{about.label}  ({arrow})", axis, lines))
    save_panels(panels, path)


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
        labels = {"mean": "model, 1 sample"}
    else:
        labels = {
            "best": f"best of {num_samples} samples",
            "mean": f"mean over {num_samples} samples",
        }
    labels["copy_last"] = "copy last frame"
    return {**labels, "reconstruction": "reconstruction, every frame seen"}
