"""Videos as files: GIF, MP4, a folder of frames, or all frames in a row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np

from hvp.data.gif_files import write_gif
from hvp.data.video_io import write_mp4
from hvp.errors import writing

JPEG_QUALITY = 95  # what StyleGAN-V's evaluation, which the motion GAN is compared by, asks for


def write_video(path: Path, video: np.ndarray, fps: float, kind: str) -> None:
    """Writes one video.

    Args:
        path: without suffix.
        video: uint8 `(time, height, width, 1 or 3)`.
        fps: frames per second of GIF and MP4.
        kind: `gif`, `mp4`, `png` or `jpg` (a folder of frames), or `strip` (one `.png`).

    Raises:
        UserError: if the file cannot be written.
    """
    _WRITERS[kind](path, video, fps)


def _write_gif(path: Path, video: np.ndarray, fps: float) -> None:
    write_gif(path.with_suffix(".gif"), video, fps)


def _write_mp4(path: Path, video: np.ndarray, fps: float) -> None:
    write_mp4(path.with_suffix(".mp4"), iter(video), fps)


def _frame_writer(suffix: str, **options: Any) -> Callable[[Path, np.ndarray, float], None]:
    """A folder of frames, as `hvp fvd` and StyleGAN-V's evaluation read them."""

    def write(path: Path, video: np.ndarray, fps: float) -> None:
        with writing(path):
            path.mkdir(exist_ok=True)
            for old in path.glob(f"*{suffix}"):
                old.unlink()  # of a longer video
            for number, frame in enumerate(video):
                iio.imwrite(path / f"{number:06d}{suffix}", _grey_or_rgb(frame), **options)

    return write


def _write_strip(path: Path, video: np.ndarray, fps: float) -> None:
    """All frames in a row."""
    with writing(path):
        row = np.concatenate(list(video), axis=1)
        iio.imwrite(path.with_suffix(".png"), _grey_or_rgb(row))


def _grey_or_rgb(frame: np.ndarray) -> np.ndarray:
    return frame[..., 0] if frame.shape[-1] == 1 else frame


_WRITERS: dict[str, Callable[[Path, np.ndarray, float], None]] = {
    "gif": _write_gif,
    "mp4": _write_mp4,
    "png": _frame_writer(".png"),
    "jpg": _frame_writer(".jpg", quality=JPEG_QUALITY),
    "strip": _write_strip,
}
