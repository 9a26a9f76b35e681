"""What pictures are drawn with: enlarged frames in coloured borders, captions, colour scales."""

from __future__ import annotations

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hvp.pixels import to_uint8

# Blue and orange stay apart for colour-blind readers too.
CONTEXT_COLOUR, PREDICTION_COLOUR = (37, 99, 235), (217, 119, 6)
BORDER, GAP, CAPTION = 3, 6, 16  # pixels
LEAST_SIZE = 96  # pixels that small frames are enlarged to, about


def side_by_side(
    images: dict[str, np.ndarray], colours: list[tuple[int, int, int]], title: str
) -> np.ndarray:
    """Labelled frames of one size in borders of their colours, below a title.

    Args:
        images: label -> uint8 `(height, width, 3)`.
        colours: one a frame.

    Returns:
        uint8 `(height, width, 3)`.
    """
    first = next(iter(images.values()))
    scale = enlargement(first[None])
    height, width = first.shape[0] * scale + 2 * BORDER, first.shape[1] * scale + 2 * BORDER
    size = (GAP + len(images) * (width + GAP), 2 * CAPTION + height + GAP)
    canvas = Image.new("RGB", size, "white")
    draw, letters = ImageDraw.Draw(canvas), font(12)
    draw.text((GAP, CAPTION // 2), title, "black", letters, anchor="lm")
    for column, ((label, image), colour) in enumerate(zip(images.items(), colours, strict=True)):
        x = GAP + column * (width + GAP)
        draw.text((x + width // 2, CAPTION * 3 // 2), label, "black", letters, anchor="mm")
        draw.rectangle((x, 2 * CAPTION, x + width - 1, 2 * CAPTION + height - 1), fill=colour)
        canvas.paste(enlarged(image, scale), (x + BORDER, 2 * CAPTION + BORDER))
    return np.asarray(canvas)


def with_scale(frame: np.ndarray, top: float) -> np.ndarray:
    """Adds the colour scale, 0 to `top` of the grey range, below `frame`."""
    width = frame.shape[1] - 2 * GAP
    strip = Image.new("RGB", (frame.shape[1], 2 * CAPTION), "white")
    ramp = heat(np.linspace(0, top, width)[None].repeat(10, 0), top)
    strip.paste(Image.fromarray(ramp), (GAP, 2))
    draw, letters = ImageDraw.Draw(strip), font(11)
    draw.text((GAP, CAPTION + 5), "0", "black", letters, anchor="lm")
    draw.text((frame.shape[1] // 2, CAPTION + 5), "std. dev.", "black", letters, anchor="mm")
    draw.text((GAP + width, CAPTION + 5), f"{top:.3g}", "black", letters, anchor="rm")
    return np.concatenate([frame, np.asarray(strip)])


def enlargement(video: np.ndarray) -> int:
    """How many times the frames of `(time, height, width, ...)` are enlarged to be seen well."""
    return max(1, round(LEAST_SIZE / max(video.shape[1:3])))


def enlarged(image: np.ndarray, scale: int) -> Image.Image:
    """`image` times `scale`; its pixels stay visible as squares."""
    # Nothing is smoothed that the model did not smooth.
    size = (image.shape[1] * scale, image.shape[0] * scale)
    return Image.fromarray(image).resize(size, Image.Resampling.NEAREST)


def rgb(image: np.ndarray) -> np.ndarray:
    """`(..., 1 or 3)` to `(..., 3)`."""
    return image.repeat(3, -1) if image.shape[-1] == 1 else image


def scale_top(stddev: np.ndarray) -> float:
    """The upper end of the colour scale for these values."""
    return max(float(stddev.max()), 1e-3)


def heat(values: np.ndarray, top: float) -> np.ndarray:
    """`(height, width)` from 0 to `top` as colours, uint8 `(height, width, 3)`."""
    colours = matplotlib.colormaps["inferno"](np.clip(values / top, 0, 1))
    return to_uint8(colours[..., :3])


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The letters of all captions."""
    return ImageFont.load_default(size)
