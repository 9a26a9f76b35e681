"""Truth, samples and their spread side by side: grids and GIFs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from hvp.data.gif_files import write_gif
from hvp.drawing.examples import Example
from hvp.drawing.frames import (
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
from hvp.errors import writing

GIF_FPS = 12

_ENDED = 208  # grey of frames that the video does not have


def save_grid(
    example: Example, context: int, path: Path, labels: Sequence[str] | None = None
) -> None:
    """Truth, samples and spread (rows) at up to 3 context and 7 predicted steps (columns).

    Args:
        labels: of the samples, where they are of different models.
    """
    horizon = example.samples.shape[1]
    steps = [
        *spread_out(0, context - 1, min(3, context)),
        *spread_out(context, context + horizon - 1, min(7, horizon)),
    ]
    scale = enlargement(example.truth)
    blank = np.full((*example.truth.shape[1:3], 3), 255, np.uint8)
    # Without context nothing is predicted: generated videos stand below a real one.
    true, made = ("truth", "predicted") if context else ("real", "generated")
    rows = {true: [_true_frame(example, t) for t in steps]}
    if labels is None:
        labels = _sample_names(example, context)
    for label, sample in zip(labels, example.samples, strict=True):
        rows[label] = [blank if t < context else rgb(sample[t - context]) for t in steps]
    if example.stddev is not None:
        top = scale_top(example.stddev)
        rows[f"std. dev.\n0 to {top:.2g}"] = [
            blank if t < context else heat(example.stddev[t - context], top) for t in steps
        ]
    height, width = (size * scale for size in example.truth.shape[1:3])
    left, head, bar = max(100, 20 + 8 * max(map(len, labels))), 42, 5
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
            word = "context" if t < context else made
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


def save_comparison_gif(example: Example, context: int, path: Path) -> None:
    """Writes `comparison_frames` as a GIF."""
    write_gif(path, comparison_frames(example, context), GIF_FPS)


class Drawn(Sequence[np.ndarray]):
    """Frames that are drawn when they are asked for, so that memory holds one.

    Args:
        count: of frames.
        draw: from a frame's number to uint8 `(height, width, 3)`.
    """

    def __init__(self, count: int, draw: Callable[[int], np.ndarray]) -> None:
        self._count, self._draw = count, draw

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: Any) -> Any:
        if not 0 <= number < self._count:
            raise IndexError(number)
        return self._draw(number)


def comparison_frames(example: Example, context: int, spread: bool = False) -> Drawn:
    """Truth and samples side by side, over context and predictions, in coloured borders.

    Args:
        example: its truth may end before its predictions do.
        context: frames of it that were shown to the model.
        spread: adds the per-pixel standard deviation over all samples and its colour scale.

    Returns:
        uint8 `(height, width, 3)`, one a frame; drawn when it is asked for.

    Raises:
        ValueError: if the spread of a single sample is asked for.
    """
    stddevs = _spread(example) if spread else np.zeros(0)
    top = scale_top(stddevs) if spread else 0.0

    def draw(t: int) -> np.ndarray:
        seen = t < context
        colour = CONTEXT_COLOUR if seen else PREDICTION_COLOUR
        title = f"context {t + 1}" if seen else f"predicted {t + 1 - context}"
        images = {"truth" if t < len(example.truth) else "video ended": _true_frame(example, t)}
        for name, sample in zip(_sample_names(example, context), example.samples, strict=True):
            # A sample's context is what it was shown.
            images[name] = rgb(example.truth[t] if seen else sample[t - context])
        if spread:  # all samples agree on the context
            stddev = np.zeros_like(stddevs[0]) if seen else stddevs[t - context]
            images["std. dev."] = heat(stddev, top)
        colours = [CONTEXT_COLOUR, *[colour] * (len(images) - 1)]
        frame = side_by_side(images, colours, title)
        return with_scale(frame, top) if spread else frame

    return Drawn(context + example.samples.shape[1], draw)


def save_uncertainty_gif(example: Example, context: int, path: Path) -> None:
    """Truth, first sample and the per-pixel standard deviation over all samples, predictions only.

    Raises:
        ValueError: if there is a single sample, which has no spread.
    """
    stddevs = _spread(example)
    top = scale_top(stddevs)

    def draw(t: int) -> np.ndarray:
        images = {
            "truth": rgb(example.truth[context + t]),
            "sample 1": rgb(example.samples[0, t]),
            "std. dev.": heat(stddevs[t], top),
        }
        colours = [CONTEXT_COLOUR, PREDICTION_COLOUR, PREDICTION_COLOUR]
        return with_scale(side_by_side(images, colours, f"predicted {t + 1}"), top)

    write_gif(path, Drawn(len(stddevs), draw), GIF_FPS)


def _sample_names(example: Example, context: int) -> list[str]:
    if len(example.samples) == 1:
        return ["prediction" if context else "sample"]
    return [f"sample {number + 1}" for number in range(len(example.samples))]


def _true_frame(example: Example, t: int) -> np.ndarray:
    """uint8 `(height, width, 3)`; plain grey after the end of the video."""
    if t < len(example.truth):
        return rgb(example.truth[t])
    return np.full((*example.truth.shape[1:3], 3), _ENDED, np.uint8)


def _spread(example: Example) -> np.ndarray:
    if example.stddev is None:
        raise ValueError("the spread over samples needs at least two samples")
    return example.stddev
