"""Panels of lines with shaded intervals and one legend below them all."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import matplotlib.ticker
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hvp.errors import writing

BASELINE = "#6b7280"
COLUMNS, NAMES = 3, 4  # panels and labels in a row


@dataclasses.dataclass(frozen=True)
class Line:
    """A line over 1, 2, 3, ...

    Attributes:
        label: in the legend; lines of one label have one colour in all panels.
        values: one a step.
        interval: half widths, shaded.
        colour: None for the next one of a palette.
        dashed: for what needs no model.
    """

    label: str
    values: Sequence[float] | np.ndarray
    interval: Sequence[float] | np.ndarray | None = None
    colour: str | None = None
    dashed: bool = False


@dataclasses.dataclass(frozen=True)
class Panel:
    """Lines over one axis."""

    title: str
    axis: str
    lines: Sequence[Line]


def save_panels(panels: Sequence[Panel], path: Path) -> None:
    """Draws panels, three a row, and the first one's legend below them."""
    columns = min(len(panels), COLUMNS)
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(4.4 * columns, 3.2 * rows + 0.4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    labels = [line.label for line in panels[0].lines if line.colour is None]
    palette = matplotlib.colormaps["tab10" if len(labels) <= 10 else "tab20"]
    colours = {label: palette(i % palette.N) for i, label in enumerate(labels)}
    for axis, panel in zip(axes, panels, strict=False):
        _draw(axis, panel, colours)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=NAMES, frameon=False, fontsize=9
    )
    with writing(path):
        figure.savefig(path)


def _draw(axis: matplotlib.axes.Axes, panel: Panel, colours: dict) -> None:
    for line in panel.lines:
        values = np.asarray(line.values)
        steps = np.arange(1, len(values) + 1)
        colour = line.colour or colours[line.label]
        style = "--" if line.dashed else "-"
        marker = "o" if len(values) == 1 else None  # a point, not a line
        axis.plot(steps, values, style, marker=marker, color=colour, lw=1.4, label=line.label)
        if line.interval is not None:
            half = np.asarray(line.interval)
            axis.fill_between(steps, values - half, values + half, color=colour, alpha=0.12, lw=0)
    axis.set_title(panel.title, fontsize=10, loc="left")
    axis.set_xlabel(panel.axis, fontsize=9)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
