"""Contact sheets and GIFs of the clips that a model will see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from hvp.data.gif_files import write_gif
from hvp.data.video_io import fit_frame
from hvp.drawing.comparison import GIF_FPS, Drawn, spread_out
from hvp.drawing.frames import (
    BORDER,
    CONTEXT_COLOUR,
    GAP,
    PREDICTION_COLOUR,
    enlarged,
    enlargement,
    font,
    rgb,
)
from hvp.drawing.shown_clips import ShownClip
from hvp.errors import writing
from hvp.text import printable, shortened

COLUMNS = 8  # frames of a clip on the sheet
MOST_SIZE = 192  # pixels; larger frames are shown smaller
LINE = 18  # pixels of a line of text
LETTER = 7  # pixels of a letter, about
NEUTRAL_COLOUR = (107, 114, 128)
MASK_OPACITY = 0.6


def save_contact_sheet(
    clips: Sequence[ShownClip], title: str, path: Path, context: int | None = None
) -> None:
    """A row a clip: frames spread over its window, below its name, length and range of values.

    A second row shows the masks over the frames, where there are any.

    Args:
        clips: at least one, all windows of the same length.
        context: frames that an evaluation shows to the model; they and those to be predicted get
            borders of different colours.

    Raises:
        UserError: if `path` cannot be written to.
    """
    times = list(spread_out(0, len(clips[0].frames) - 1, COLUMNS))
    rows = [[_display(clip.frames[t]) for t in times] for clip in clips]
    height, width = (size + 2 * BORDER for size in rows[0][0].shape[:2])
    tall = LINE + (height + GAP) * (1 if clips[0].masks is None else 2) + GAP
    # A single frame must not leave too little room for the words above it.
    total = max(GAP + len(times) * (width + GAP), 480)
    canvas = Image.new("RGB", (total, 2 * LINE + len(clips) * tall), "white")
    draw, letters = ImageDraw.Draw(canvas), font(13)
    draw.text((GAP, LINE // 2), _fit(title, total), "black", letters, anchor="lm")
    for column, t in enumerate(times):
        x = GAP + column * (width + GAP) + width // 2
        draw.text((x, LINE * 3 // 2), f"t = {t + 1}", "black", font(11), anchor="mm")
    for row, (clip, frames) in enumerate(zip(clips, rows, strict=True)):
        y = 2 * LINE + row * tall
        about = f"   {clip.place}, {clip.values}"
        name = _fit(printable(clip.name), total - LETTER * len(about))
        draw.text((GAP, y + LINE // 2), name + about, "black", letters, anchor="lm")
        shown = [frames]
        if clip.masks is not None:
            shown.append([_masked(clip.frames[t], clip.masks[t]) for t in times])
        for line, images in enumerate(shown):
            top = y + LINE + line * (height + GAP)
            for column, (t, image) in enumerate(zip(times, images, strict=True)):
                x = GAP + column * (width + GAP)
                box = (x, top, x + width - 1, top + height - 1)
                draw.rectangle(box, fill=_colour(t, context))
                canvas.paste(Image.fromarray(image), (x + BORDER, top + BORDER))
    with writing(path):
        canvas.save(path)


def save_clips_gif(clips: Sequence[ShownClip], path: Path, context: int | None = None) -> None:
    """All clips beside and below each other, playing together, each below its name.

    Raises:
        UserError: if `path` cannot be written to.
    """
    columns = math.ceil(math.sqrt(len(clips)))
    height, width = (size + 2 * BORDER for size in _display(clips[0].frames[0]).shape[:2])
    size = (GAP + columns * (width + GAP), GAP + -(-len(clips) // columns) * (LINE + height + GAP))

    def draw(t: int) -> np.ndarray:
        canvas = Image.new("RGB", size, "white")
        pen, letters = ImageDraw.Draw(canvas), font(11)
        for number, clip in enumerate(clips):
            row, column = divmod(number, columns)
            x, y = GAP + column * (width + GAP), GAP + row * (LINE + height + GAP)
            name = _fit(printable(clip.name), width)
            pen.text((x, y + LINE // 2), name, "black", letters, anchor="lm")
            y += LINE
            pen.rectangle((x, y, x + width - 1, y + height - 1), fill=_colour(t, context))
            image = Image.fromarray(_display(clip.frames[t]))
            canvas.paste(image, (x + BORDER, y + BORDER))
        return np.asarray(canvas)

    write_gif(path, Drawn(len(clips[0].frames), draw), GIF_FPS)


def _display(frame: np.ndarray) -> np.ndarray:
    """`(h, w, 1 or 3)` as RGB, small ones enlarged by a whole number, large ones reduced."""
    largest = max(frame.shape[:2])
    if largest > MOST_SIZE:
        height, width = (max(1, round(size * MOST_SIZE / largest)) for size in frame.shape[:2])
        return rgb(fit_frame(frame, height, width, None))
    return np.asarray(enlarged(rgb(frame), enlargement(frame[None])))


def _masked(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The frame with a colour over every labelled object; label 0 is the background."""
    colours = matplotlib.colormaps["tab10"](range(10))[:, :3] * 255
    objects = mask > 0
    blended = rgb(frame).astype(np.float32)
    colour = colours[(mask[objects].astype(int) - 1) % len(colours)]
    blended[objects] = (1 - MASK_OPACITY) * blended[objects] + MASK_OPACITY * colour
    return _display(np.rint(blended).astype(np.uint8))


def _colour(t: int, context: int | None) -> tuple[int, int, int]:
    if context is None:
        return NEUTRAL_COLOUR
    return CONTEXT_COLOUR if t < context else PREDICTION_COLOUR


def _fit(text: str, width: int) -> str:
    return shortened(text, max(8, width // LETTER))
