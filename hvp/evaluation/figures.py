"""Pictures of an evaluation: curves, sample grids, and GIFs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import matplotlib.ticker
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from hvp.data.video_io import write_gif
from hvp.errors import writing
from hvp.evaluation.gallery import Picture
from hvp.evaluation.open_loop import OpenLoopResult
from hvp.evaluation.panels import (
    CONTEXT_COLOUR,
    GAP,
    PREDICTION_COLOUR,
    enlarged,
    enlargement,
    font,
    heat,
    rgb,
    scale_top,
    side_by_side,
    with_scale,
)
from hvp.metrics.registry import METRICS

_LINES = {"best": "#d97706", "mean": "#2563eb", "copy_last": "#6b7280"}
GIF_FPS = 12
_ENDED = 208  # grey of frames that the video does not have


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


def save_grid(picture: Picture, context: int, path: Path) -> None:
    """Truth, samples and spread (rows) at up to 3 context and 7 predicted steps (columns)."""
    horizon = picture.samples.shape[1]
    steps = [
        *spread_out(0, context - 1, min(3, context)),
        *spread_out(context, context + horizon - 1, min(7, horizon)),
    ]
    scale = enlargement(picture.truth)
    blank = np.full((*picture.truth.shape[1:3], 3), 255, np.uint8)
    rows = {"truth": [_true_frame(picture, t) for t in steps]}
    for number, sample in enumerate(picture.samples, 1):
        rows[f"sample {number}"] = [
            blank if t < context else rgb(sample[t - context]) for t in steps
        ]
    if picture.stddev is not None:
        top = scale_top(picture.stddev)
        rows[f"std. dev.\n0 to {top:.2g}"] = [
            blank if t < context else heat(picture.stddev[t - context], top) for t in steps
        ]
    height, width = (size * scale for size in picture.truth.shape[1:3])
    left, head, bar = 100, 42, 5
    canvas = Image.new(
        "RGB",
        (
            left + len(steps) * (width + GAP) + GAP,
            head + bar + GAP + len(rows) * (height + GAP),
        ),
        "white",
    )
    draw, letters = ImageDraw.Draw(canvas), font(13)
    for column, t in enumerate(steps):
        x = left + column * (width + GAP)
        colour = CONTEXT_COLOUR if t < context else PREDICTION_COLOUR
        if t in (0, context):
            word = "context" if t < context else "predicted"
            draw.text((x, head // 4), word, colour, letters, anchor="lm")
        draw.text((x + width // 2, head * 3 // 4), f"t = {t + 1}", "black", letters, anchor="mm")
        draw.rectangle((x, head, x + width - 1, head + bar - 1), fill=colour)
        for row, frames in enumerate(rows.values()):
            y = head + bar + GAP + row * (height + GAP)
            canvas.paste(enlarged(frames[column], scale), (x, y))
    for row, label in enumerate(rows):
        y = head + bar + GAP + row * (height + GAP) + height // 2
        draw.multiline_text((left - 10, y), label, "black", letters, anchor="rm", align="right")
    with writing(path):
        canvas.save(path)


def spread_out(first: int, last: int, count: int) -> Iterator[int]:
    """At most `count` different whole numbers from `first` to `last`, about equally far apart."""
    return (int(t) for t in np.unique(np.rint(np.linspace(first, last, count))))


def save_comparison_gif(picture: Picture, context: int, path: Path) -> None:
    """Writes `comparison_frames` as a GIF."""
    write_gif(path, np.stack(list(comparison_frames(picture, context))), GIF_FPS)


def comparison_frames(picture: Picture, context: int, spread: bool = False) -> Iterator[np.ndarray]:
    """Truth and samples side by side, over context and predictions, in coloured borders.

    Args:
        picture: its truth may end before its predictions do.
        context: frames of it that were shown to the model.
        spread: adds the per-pixel standard deviation over all samples and its colour scale.

    Returns:
        uint8 `(height, width, 3)`, one a frame.

    Raises:
        ValueError: if the spread of a single sample is asked for.
    """
    top = scale_top(_spread(picture)) if spread else 0.0
    for t in range(context + picture.samples.shape[1]):
        seen = t < context
        colour = CONTEXT_COLOUR if seen else PREDICTION_COLOUR
        title = f"context {t + 1}" if seen else f"predicted {t + 1 - context}"
        images = {"truth" if t < len(picture.truth) else "video ended": _true_frame(picture, t)}
        for number, sample in enumerate(picture.samples, 1):
            # A sample's context is what it was shown.
            images[f"sample {number}"] = rgb(picture.truth[t] if seen else sample[t - context])
        if spread:  # all samples agree on the context
            stddev = np.zeros_like(picture.stddev[0]) if seen else picture.stddev[t - context]
            images["std. dev."] = heat(stddev, top)
        colours = [CONTEXT_COLOUR, *[colour] * (len(images) - 1)]
        frame = side_by_side(images, colours, title)
        yield with_scale(frame, top) if spread else frame


def save_uncertainty_gif(picture: Picture, context: int, path: Path) -> None:
    """Truth, first sample and the per-pixel standard deviation over all samples, predictions only.

    Raises:
        ValueError: if there is a single sample, which has no spread.
    """
    top = scale_top(_spread(picture))
    frames = []
    for t, spread in enumerate(picture.stddev):
        images = {
            "truth": rgb(picture.truth[context + t]),
            "sample 1": rgb(picture.samples[0, t]),
            "std. dev.": heat(spread, top),
        }
        colours = [CONTEXT_COLOUR, PREDICTION_COLOUR, PREDICTION_COLOUR]
        frames.append(with_scale(side_by_side(images, colours, f"predicted {t + 1}"), top))
    write_gif(path, np.stack(frames), GIF_FPS)


def _true_frame(picture: Picture, t: int) -> np.ndarray:
    """uint8 `(height, width, 3)`; plain grey after the end of the video."""
    if t < len(picture.truth):
        return rgb(picture.truth[t])
    return np.full((*picture.truth.shape[1:3], 3), _ENDED, np.uint8)


def _spread(picture: Picture) -> np.ndarray:
    if picture.stddev is None:
        raise ValueError("the spread over samples needs at least two samples")
    return picture.stddev
