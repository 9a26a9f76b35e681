"""Writes animated GIFs frame by frame: memory holds two frames, however long the video is."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from hvp.errors import writing

Frames = Sequence[np.ndarray] | np.ndarray  # uint8 `(height, width, 1 or 3)` each
PALETTE_FRAMES = 16  # that the colours are chosen from, about
TRAILER = b";"


def write_gif(path: str | Path, frames: Frames, fps: float = 10) -> None:
    """Writes an endless animated GIF; what it holds `encode_gif` says."""
    with writing(path), Path(path).open("wb") as file:
        _write(file, frames, fps)


def encode_gif(frames: Frames, fps: float) -> bytes:
    """An endless animated GIF of uint8 frames `(time, height, width, 1 or 3)`.

    Grey frames keep their 256 levels; RGB frames share one palette chosen for the whole video.
    Equal frames in a row are stored as one that is shown for longer.

    Args:
        frames: at least one. Some are asked for twice, for the palette.
    """
    buffer = io.BytesIO()
    _write(buffer, frames, fps)
    return buffer.getvalue()


def _write(file: IO[bytes], frames: Frames, fps: float) -> None:
    delay = max(20, round(1000 / fps))  # viewers slow down anything faster
    options: dict[str, Any] = {"loop": 0, "disposal": 1, "optimize": False}
    images = _different(_images(frames))
    image, times = next(images)
    following = next(images, None)
    if following is None:
        image.save(file, format="GIF", save_all=True, duration=times * delay, **options)
        return
    from PIL import GifImagePlugin

    header, _ = GifImagePlugin.getheader(image, info={"duration": delay, **options})
    file.writelines(header)
    file.writelines(GifImagePlugin.getdata(image, duration=times * delay, **options))
    while following is not None:
        before, (image, times) = image, following
        GifImagePlugin.getheader(image, info=options.copy())  # which gives it its palette
        box = _changed(before, image)
        options["include_color_table"] = True
        part = image if box == (0, 0, *image.size) else image.crop(box)
        file.writelines(GifImagePlugin.getdata(part, box[:2], duration=times * delay, **options))
        following = next(images, None)
    file.write(TRAILER)


def _images(frames: Frames) -> Iterator[Any]:
    """Pillow's images of frames, in levels of grey or with one palette for all."""
    from PIL import Image

    if frames[0].shape[-1] == 1:
        for frame in frames:
            yield Image.fromarray(frame[..., 0], mode="L")
        return
    # The palette of all frames below each other, thinned to stay quick for long videos.
    count = len(frames)
    sample = [frames[i] for i in range(0, count, max(1, count // PALETTE_FRAMES))]
    tall = Image.fromarray(np.concatenate(sample))
    palette = tall.quantize(256, method=Image.Quantize.MEDIANCUT)
    for frame in frames:
        yield Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)


def _different(images: Iterator[Any]) -> Iterator[tuple[Any, int]]:
    """Images that differ from the one before, and how many equal ones each stands for."""
    image, times = next(images), 1
    for following in images:
        if following.tobytes() == image.tobytes():
            times += 1
            continue
        yield image, times
        image, times = following, 1
    yield image, times


def _changed(before: Any, image: Any) -> tuple[int, int, int, int]:
    """The box around all that differs: left, top, right, bottom."""
    rows, columns = np.nonzero(np.asarray(before) != np.asarray(image))
    return (
        int(columns.min()),
        int(rows.min()),
        int(columns.max()) + 1,
        int(rows.max()) + 1,
    )
