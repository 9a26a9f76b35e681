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
from PIL import Image, ImageDraw, ImageFont

from hvp.data.video_io import write_gif
from hvp.errors import writing
from hvp.evaluation.gallery import Picture
from hvp.evaluation.open_loop import OpenLoopResult
from hvp.metrics.registry import METRICS

# Blue and orange stay apart for colour-blind readers too.
CONTEXT_COLOUR, PREDICTION_COLOUR = (37, 99, 235), (217, 119, 6)
_LINES = {"best": "#d97706", "mean": "#2563eb", "copy_last": "#6b7280"}
GIF_FPS = 12
_BORDER, _GAP, _CAPTION = 3, 6, 16


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
    horizon = len(picture.truth) - context
    steps = [
        *_spread_out(0, context - 1, min(3, context)),
        *_spread_out(context, context + horizon - 1, min(7, horizon)),
    ]
    scale = _enlargement(picture.truth)
    blank = np.full((*picture.truth.shape[1:3], 3), 255, np.uint8)
    rows = {"truth": [_rgb(picture.truth[t]) for t in steps]}
    for number, sample in enumerate(picture.samples, 1):
        rows[f"sample {number}"] = [
            blank if t < context else _rgb(sample[t - context]) for t in steps
        ]
    if picture.stddev is not None:
        top = _scale_top(picture.stddev)
        rows[f"std. dev.\n0 to {top:.2g}"] = [
            blank if t < context else _heat(picture.stddev[t - context], top) for t in steps
        ]
    height, width = (size * scale for size in picture.truth.shape[1:3])
    left, head, bar = 100, 42, 5
    canvas = Image.new(
        "RGB",
        (
            left + len(steps) * (width + _GAP) + _GAP,
            head + bar + _GAP + len(rows) * (height + _GAP),
        ),
        "white",
    )
    draw, font = ImageDraw.Draw(canvas), _font(13)
    for column, t in enumerate(steps):
        x = left + column * (width + _GAP)
        colour = CONTEXT_COLOUR if t < context else PREDICTION_COLOUR
        if t in (0, context):
            word = "context" if t < context else "predicted"
            draw.text((x, head // 4), word, colour, font, anchor="lm")
        draw.text((x + width // 2, head * 3 // 4), f"t = {t + 1}", "black", font, anchor="mm")
        draw.rectangle((x, head, x + width - 1, head + bar - 1), fill=colour)
        for row, frames in enumerate(rows.values()):
            y = head + bar + _GAP + row * (height + _GAP)
            canvas.paste(_enlarged(frames[column], scale), (x, y))
    for row, label in enumerate(rows):
        y = head + bar + _GAP + row * (height + _GAP) + height // 2
        draw.multiline_text((left - 10, y), label, "black", font, anchor="rm", align="right")
    with writing(path):
        canvas.save(path)


def save_comparison_gif(picture: Picture, context: int, path: Path) -> None:
    """Truth and samples side by side, over context and predictions, in coloured borders."""
    panels = {"truth": picture.truth}
    for number, sample in enumerate(picture.samples, 1):
        # A sample's context is what it was shown.
        panels[f"sample {number}"] = np.concatenate([picture.truth[:context], sample])
    frames = []
    for t in range(len(picture.truth)):
        seen = t < context
        colour = CONTEXT_COLOUR if seen else PREDICTION_COLOUR
        title = f"context {t + 1}" if seen else f"predicted {t + 1 - context}"
        images = {label: _rgb(video[t]) for label, video in panels.items()}
        colours = [CONTEXT_COLOUR if label == "truth" else colour for label in images]
        frames.append(_side_by_side(images, colours, title))
    write_gif(path, np.stack(frames), GIF_FPS)


def save_uncertainty_gif(picture: Picture, context: int, path: Path) -> None:
    """Truth, first sample and the per-pixel standard deviation over all samples, predictions only.

    Raises:
        ValueError: if there is a single sample, which has no spread.
    """
    if picture.stddev is None:
        raise ValueError("the spread over samples needs at least two samples")
    top = _scale_top(picture.stddev)
    frames = []
    for t, spread in enumerate(picture.stddev):
        images = {
            "truth": _rgb(picture.truth[context + t]),
            "sample 1": _rgb(picture.samples[0, t]),
            "std. dev.": _heat(spread, top),
        }
        colours = [CONTEXT_COLOUR, PREDICTION_COLOUR, PREDICTION_COLOUR]
        frames.append(_with_scale(_side_by_side(images, colours, f"predicted {t + 1}"), top))
    write_gif(path, np.stack(frames), GIF_FPS)


def _side_by_side(
    images: dict[str, np.ndarray], colours: list[tuple[int, int, int]], title: str
) -> np.ndarray:
    first = next(iter(images.values()))
    scale = _enlargement(first[None])
    height, width = first.shape[0] * scale + 2 * _BORDER, first.shape[1] * scale + 2 * _BORDER
    size = (_GAP + len(images) * (width + _GAP), 2 * _CAPTION + height + _GAP)
    canvas = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(canvas), _font(12)
    draw.text((_GAP, _CAPTION // 2), title, "black", font, anchor="lm")
    for column, ((label, image), colour) in enumerate(zip(images.items(), colours, strict=True)):
        x = _GAP + column * (width + _GAP)
        draw.text((x + width // 2, _CAPTION * 3 // 2), label, "black", font, anchor="mm")
        draw.rectangle((x, 2 * _CAPTION, x + width - 1, 2 * _CAPTION + height - 1), fill=colour)
        canvas.paste(_enlarged(image, scale), (x + _BORDER, 2 * _CAPTION + _BORDER))
    return np.asarray(canvas)


def _with_scale(frame: np.ndarray, top: float) -> np.ndarray:
    """Adds the colour scale, 0 to `top` of the grey range, below `frame`."""
    width = frame.shape[1] - 2 * _GAP
    strip = Image.new("RGB", (frame.shape[1], 2 * _CAPTION), "white")
    ramp = _heat(np.linspace(0, top, width)[None].repeat(10, 0), top)
    strip.paste(Image.fromarray(ramp), (_GAP, 2))
    draw, font = ImageDraw.Draw(strip), _font(11)
    draw.text((_GAP, _CAPTION + 5), "0", "black", font, anchor="lm")
    draw.text((frame.shape[1] // 2, _CAPTION + 5), "std. dev.", "black", font, anchor="mm")
    draw.text((_GAP + width, _CAPTION + 5), f"{top:.3g}", "black", font, anchor="rm")
    return np.concatenate([frame, np.asarray(strip)])


def _spread_out(first: int, last: int, count: int) -> Iterator[int]:
    return (int(t) for t in np.unique(np.rint(np.linspace(first, last, count))))


def _enlargement(video: np.ndarray) -> int:
    return max(1, round(96 / max(video.shape[1:3])))


def _enlarged(image: np.ndarray, scale: int) -> Image.Image:
    # Pixels stay visible as squares: nothing is smoothed that the model did not smooth.
    size = (image.shape[1] * scale, image.shape[0] * scale)
    return Image.fromarray(image).resize(size, Image.Resampling.NEAREST)


def _rgb(image: np.ndarray) -> np.ndarray:
    return image.repeat(3, -1) if image.shape[-1] == 1 else image


def _scale_top(stddev: np.ndarray) -> float:
    return max(float(stddev.max()), 1e-3)


def _heat(values: np.ndarray, top: float) -> np.ndarray:
    colours = matplotlib.colormaps["inferno"](np.clip(values / top, 0, 1))
    return np.rint(colours[..., :3] * 255).astype(np.uint8)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
