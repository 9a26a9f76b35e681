"""Reading and writing videos: files, GIFs, arrays, folders of frames. One decoder for all."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from hvp.data.array_files import HDF5_SUFFIXES, NUMPY_SUFFIXES, array_frames
from hvp.data.decoding import (
    FRAME_SUFFIXES,
    decoded_frames,
    folder_frames,
    frames_that_decode,
    read_display,
)
from hvp.data.video_quirks import frame_times
from hvp.errors import UserError, writing
from hvp.files import require_regular

VIDEO_SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".gif")
ARRAY_SUFFIXES = (*NUMPY_SUFFIXES, *HDF5_SUFFIXES)
MAX_VIDEO_BYTES = 8 * 2**30
Crop = Literal["none", "center"]
SixteenBit = Literal["error", "scale"]
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


def is_video(path: Path) -> bool:
    """Whether `path` looks like a video: by its suffix, or a folder by the frames in it."""
    if path.is_dir():
        try:
            if path.suffix.lower() in (*VIDEO_SUFFIXES, *ARRAY_SUFFIXES):
                return True  # `read_video` says that it is a folder
            return any(p.suffix.lower() in FRAME_SUFFIXES for p in path.iterdir())
        except OSError:
            return True  # `read_video` says what is wrong with it
    return path.suffix.lower() in (*VIDEO_SUFFIXES, *ARRAY_SUFFIXES)


def read_video(
    path: str | Path,
    height: int | None = None,
    width: int | None = None,
    channels: int | None = None,
    max_frames: int | None = None,
    *,
    crop: Crop = "none",
    every: int = 1,
    fps: float | None = None,
    strict: bool = True,
    sixteen_bit: SixteenBit = "error",
) -> np.ndarray:
    """Reads a whole video, as its file asks to be shown: turned, and with square pixels.

    Args:
        path: a video file, a GIF, an array (`.npy`, `.npz`, `.h5`: `hvp.data.array_files`), or a
            folder of `.png` or `.jpg` frames (in natural order of their names).
        height, width: resize to this, by area averaging where both sides shrink, else bilinearly;
            `None` keeps the size.
        channels: 1 takes the luma of RGB, 3 repeats grey; `None` keeps what is there (3 for files).
        max_frames: to return, from the start.
        crop: `center` cuts the middle out in the proportions of height and width before resizing,
            `none` squeezes the whole picture.
        every: keep every n-th frame, from the first.
        fps: resample to this rate: at each tick, the frame that is shown then by its stored time.
            `None` takes every stored frame once, whatever its time.
        strict: refuse damaged video files; if not, take the frames of them that decode.
        sixteen_bit: `scale` takes 16-bit grey pictures and arrays, 0 to 65535 becoming 0 to 255.

    Returns:
        uint8 `(time, height, width, channels)`. Frames that an edit list hides (MP4 cut without
        encoding again) stay hidden.

    Raises:
        UserError: naming the file, if it is missing, no video, damaged, too large for memory, if
            its frames differ in size, or if `fps` is asked where no times are stored.
    """
    path = Path(path)
    # Not a list of frames: small arrays keep what was freed between them from use, 25 kB each.
    pixels, shape = bytearray(), (0, 0, 0)
    stored = video_frames(
        path,
        height,
        width,
        channels,
        crop=crop,
        every=every if fps is None else 1,
        strict=strict,
        sixteen_bit=sixteen_bit,
    )
    for frame in itertools.islice(stored, max_frames if fps is None else None):
        _check_memory(path, len(pixels) + frame.size)
        pixels += frame.tobytes()
        shape = frame.shape
    frames = np.frombuffer(pixels, np.uint8).reshape(-1, *shape)
    if fps is not None:
        shown = _shown_at(path, len(frames), fps)[::every]
        frames = frames[shown[:max_frames]]
    return frames


def video_frames(
    path: str | Path,
    height: int | None = None,
    width: int | None = None,
    channels: int | None = None,
    *,
    crop: Crop = "none",
    every: int = 1,
    strict: bool = True,
    sixteen_bit: SixteenBit = "error",
) -> Iterator[np.ndarray]:
    """The frames of `read_video`, of which one at a time is in memory.

    Args:
        path, height, width, channels, crop, every, strict, sixteen_bit: as of `read_video`.

    Yields:
        uint8 `(height, width, channels)`, all of one shape; at least one.

    Raises:
        UserError: as `read_video`, when the frame is reached.
    """
    path, shape = Path(path), None
    for number, frame in enumerate(_frames(path, strict, sixteen_bit == "scale")):
        if number % every:
            continue
        frame = fit_frame(frame, height, width, channels, crop)
        if shape is None:
            shape = frame.shape
        if frame.shape != shape:
            raise UserError(f"{path}: frame {number} has shape {frame.shape}, the first {shape}")
        yield frame
    if shape is None:
        raise UserError(f"{path}: holds no frames")


def _check_memory(path: Path, size: int) -> None:
    if size > MAX_VIDEO_BYTES:
        raise UserError(
            f"{path}: has more than {MAX_VIDEO_BYTES / 2**30:g} GiB of frames at this size; "
            "cut it, or ask for smaller or fewer frames"
        )


def display_notes(path: Path) -> list[str]:
    """What is done to the frames of a video file as it asks for, in words; often nothing."""
    if path.is_dir() or path.suffix.lower() in ARRAY_SUFFIXES:
        return []
    return read_display(path).notes()


def _shown_at(path: Path, count: int, fps: float) -> np.ndarray:
    """Which of `count` frames is shown at each tick of `fps`: int `(ticks,)`."""
    timed = path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()
    found = frame_times(path, count) if timed else None
    if found is None:
        raise UserError(
            f"{path}: stores no frame rate, so it cannot be resampled to {fps:g} frames a second; "
            "keep every n-th frame instead"
        )
    times, end = found
    ticks = np.arange(max(1, round(end * fps))) / fps
    # Rounded times must not fall just before the frame that they belong to.
    return np.maximum(np.searchsorted(times, ticks + 1e-4, side="right") - 1, 0)


def fit_frame(
    frame: np.ndarray,
    height: int | None,
    width: int | None,
    channels: int | None,
    crop: Crop = "none",
) -> np.ndarray:
    """One uint8 frame `(h, w, c)` in the wanted size and number of channels; see `read_video`."""
    from PIL import Image

    if crop == "center":
        frame = _center(frame, height or frame.shape[0], width or frame.shape[1])

    if channels == 1 and frame.shape[-1] == 3:
        frame = np.rint(frame.astype(np.float32) @ LUMA).astype(np.uint8)[..., None]
    size = (height or frame.shape[0], width or frame.shape[1])
    if size != frame.shape[:2]:
        shrinks = size[0] <= frame.shape[0] and size[1] <= frame.shape[1]
        method = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
        planes = [
            np.asarray(Image.fromarray(frame[..., c]).resize(size[::-1], method))
            for c in range(frame.shape[-1])
        ]
        frame = np.stack(planes, axis=-1)
    if channels == 3 and frame.shape[-1] == 1:
        frame = np.repeat(frame, 3, axis=-1)
    return frame


def _center(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """The largest middle part of a frame in the proportions height : width."""
    rows, columns = frame.shape[:2]
    keep_rows = min(rows, max(1, round(columns * height / width)))
    keep_columns = min(columns, max(1, round(rows * width / height)))
    top, left = (rows - keep_rows) // 2, (columns - keep_columns) // 2
    return frame[top : top + keep_rows, left : left + keep_columns]


def _frames(path: Path, strict: bool, scale: bool) -> Iterator[np.ndarray]:
    """uint8 frames `(height, width, channels)` of anything readable."""
    if path.is_dir():
        yield from folder_frames(path, scale)
        return
    if not path.exists():
        raise UserError(f"{path}: no such video")
    require_regular(path)
    if path.stat().st_size == 0:
        raise UserError(f"{path}: is empty")
    if path.suffix.lower() in ARRAY_SUFFIXES:
        yield from array_frames(path, scale)
    else:
        yield from decoded_frames(path) if strict else frames_that_decode(path)


def write_mp4(
    path: str | Path, frames: Iterable[np.ndarray], fps: float = 25, quality: int = 10
) -> None:
    """Writes uint8 frames `(height, width, 1 or 3)` as H.264 in yuv420p.

    Args:
        frames: at least one, with even height and width, as the pixel format demands.
        quality: constant rate factor, 0 (lossless) to 51.
    """
    import av

    with writing(path), av.open(str(path), "w") as container:
        stream = None
        for frame in frames:
            if frame.shape[-1] == 1:
                frame = np.repeat(frame, 3, axis=-1)
            if stream is None:
                if frame.shape[0] % 2 or frame.shape[1] % 2:
                    raise UserError(
                        f"{path}: frames of {frame.shape[1]}x{frame.shape[0]} cannot be stored; "
                        "width and height must be even"
                    )
                rate = Fraction(fps).limit_denominator(1001)
                stream = container.add_stream("libx264", rate=rate, options={"crf": str(quality)})
                stream.height, stream.width = frame.shape[:2]
                stream.pix_fmt = "yuv420p"
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        if stream is None:
            raise ValueError(f"no frames to write to {path}")
        container.mux(stream.encode())
