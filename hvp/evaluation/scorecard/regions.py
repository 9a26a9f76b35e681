"""Where in the frame the doubt is honest: maps, and the worst and the best region up close."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hvp.drawing.comparison import spread_out
from hvp.drawing.examples import Example
from hvp.errors import writing
from hvp.evaluation.scorecard.tally import Regions

CELLS = 8  # of a side of the frame
_SEEN = 0.25  # of the frame's root mean error: below it nothing happens in a region
_STEPS = 7
FRAMES_AT_ONCE = 512
_BOXES = {"worst": "#7c3aed", "best": "#16a34a"}


@dataclasses.dataclass(frozen=True)
class Region:
    """A part of the frame.

    Attributes:
        top, left, height, width: in pixels.
        ratio: spread over error of the samples' mean in it.
    """

    top: int
    left: int
    height: int
    width: int
    ratio: float

    def cut(self, frames: np.ndarray, axis: int) -> np.ndarray:
        """The region of frames whose height is at `axis`, with half its size around it."""
        for at, start, size in ((axis, self.top, self.height), (axis + 1, self.left, self.width)):
            chosen = np.arange(max(0, start - size // 2), start + size + size // 2)
            frames = frames.take(chosen[chosen < frames.shape[at]], at)
        return frames


def find_regions(regions: Regions) -> dict[str, Region]:
    """The `worst` and the `best` calibrated region of a grid, among those where something happens.

    Empty where nothing happens anywhere, or in one region alone.
    """
    height, width = regions.skill.shape
    tall, wide = max(1, height // CELLS), max(1, width // CELLS)
    seen = _SEEN * np.sqrt(np.mean(regions.skill**2 + regions.spread**2))
    found = []
    for top in range(0, height - tall + 1, tall):
        for left in range(0, width - wide + 1, wide):
            spread, skill = (
                float(np.sqrt(np.mean(map_[top : top + tall, left : left + wide] ** 2)))
                for map_ in (regions.spread, regions.skill)
            )
            if skill >= seen > 0 and spread > 0:
                found.append(Region(top, left, tall, wide, spread / skill))
    if len(found) < 2:
        return {}
    ranked = sorted(found, key=lambda region: abs(np.log(region.ratio)))
    return {"worst": ranked[-1], "best": ranked[0]}


def save_regions(regions: Regions, gallery: list[Example], context: int, path: Path) -> None:
    """Draws the maps, and below them both regions in the example where most happens there.

    Args:
        gallery: examples with several samples; possibly none.
        context: frames of an example's truth that were shown to the model.
    """
    found = find_regions(regions)
    close = found if gallery else {}
    figure = Figure(figsize=(10, 3.4 + 4.4 * len(close)), dpi=110, layout="constrained")
    heights = [3.4, *[4.4] * len(close)]
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    _draw_maps(parts[0], regions, found)
    for part, (name, region) in zip(parts[1:], close.items(), strict=True):
        example = max(gallery, key=lambda example: _activity(example, region, context))
        _draw_close(part, name, region, example, context)
    with writing(path):
        figure.savefig(path)


def _draw_maps(figure: Any, regions: Regions, found: dict[str, Region]) -> None:
    top = max(float(regions.skill.max()), float(regions.spread.max()), 1e-6)
    seen = regions.skill >= _SEEN * np.sqrt(np.mean(regions.skill**2 + regions.spread**2))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(
            seen & (regions.skill > 0), np.log2(regions.spread / regions.skill), np.nan
        )
    maps = (
        ("error of the samples' mean", regions.skill, "magma", (0.0, top)),
        ("spread of the samples", regions.spread, "magma", (0.0, top)),
        ("log2 of spread / error", np.clip(ratio, -2, 2), "RdBu", (-2.0, 2.0)),
    )
    for panel, (title, values, colours, limits) in zip(figure.subplots(1, 3), maps, strict=True):
        panel.set_facecolor("#9ca3af")
        image = panel.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1])
        figure.colorbar(image, ax=panel, shrink=0.8)
        panel.set_title(title, fontsize=10, loc="left")
        panel.set_axis_off() if colours == "magma" else panel.set(xticks=[], yticks=[])
        for name, region in found.items():
            corner = (region.left - 0.5, region.top - 0.5)
            box = Rectangle(corner, region.width, region.height, fill=False, lw=2)
            box.set_edgecolor(_BOXES[name])
            panel.add_patch(box)


def _draw_close(figure: Any, name: str, region: Region, example: Example, context: int) -> None:
    """Rows: truth, samples, spread; columns: steps."""
    horizon = min(example.samples.shape[1], len(example.truth) - context)
    steps = list(spread_out(0, horizon - 1, min(_STEPS, horizon)))
    rows = {"truth": region.cut(example.truth[context:], 1)}
    rows |= {
        f"sample {number}": region.cut(sample, 1)
        for number, sample in enumerate(example.samples, 1)
    }
    if example.stddev is not None:
        rows["spread"] = region.cut(example.stddev, 1)
    figure.suptitle(
        f"{name} calibrated region: spread / error {region.ratio:.2f}; {example.name}",
        fontsize=10,
        color=_BOXES[name],
        x=0.01,
        ha="left",
    )
    panels = figure.subplots(len(rows), len(steps), squeeze=False)
    for line, (label, frames) in zip(panels, rows.items(), strict=True):
        for panel, step in zip(line, steps, strict=True):
            _show(panel, frames[step], spread=label == "spread", top=frames.max())
            if label == "truth":
                panel.set_title(f"frame {step + 1}", fontsize=8)
        line[0].set_ylabel(label, fontsize=8, rotation=0, ha="right", va="center")


def _show(panel: Any, frame: np.ndarray, spread: bool, top: float) -> None:
    if spread:
        panel.imshow(frame, cmap="magma", vmin=0, vmax=max(float(top), 1e-6))
    elif frame.shape[-1] == 1:
        panel.imshow(frame[..., 0], cmap="gray", vmin=0, vmax=255)
    else:
        panel.imshow(frame)
    panel.set(xticks=[], yticks=[])


def _activity(example: Example, region: Region, context: int) -> float:
    """How much samples differ from the truth, and from one another, in a region."""
    horizon = min(len(example.truth) - context, example.samples.shape[1])
    total = 0.0
    for first in range(0, horizon, FRAMES_AT_ONCE):
        some = slice(first, min(first + FRAMES_AT_ONCE, horizon))
        truth = region.cut(example.truth[context:][some], 1).astype(float)
        samples = region.cut(example.samples[:, some], 2).astype(float)
        total += np.square(samples - truth).mean() * len(truth)
    return float(total / horizon)
