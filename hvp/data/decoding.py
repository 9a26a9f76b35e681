"""Frames of video files and of folders of pictures; damage is named, never passed over.

libav gives what it can of a damaged file: fewer frames, or frames patched from others. So frames
are counted by the container as well, the decoder is told to give up at errors, and what it
complains about is heard.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from hvp.data.array_files import MOST_16_BIT, SCALING, check_size, to_8_bits
from hvp.data.display import Display, display_of
from hvp.data.frame_counts import GIF_START, stored_frames
from hvp.data.sample_tables import check_sample_tables
from hvp.data.video_quirks import (
    frames_without_edit_list,
    last_packed_picture,
    one_thread,
    openable,
)
from hvp.errors import UserError, reading, to_stderr
from hvp.files import require_regular
from hvp.text import natural_key

FRAME_SUFFIXES = (".png", ".jpg", ".jpeg")
# What PyAV raises for damaged files, besides FFmpeg's own errors.
DECODER_ERRORS = (OSError, ValueError, IndexError, AttributeError, RuntimeError, MemoryError)
STRICT = {"err_detect": "crccheck+explode"}


class _Listening:
    """While in use, libav's complaints come to Python, where `av.logging.Capture` takes them.

    The level is the process's, and several threads decode: the first to come sets it, the last to
    go sets it back. Decoders must not use threads of their own then: those have no capture, and
    wait for Python's lock while Python waits for them.
    """

    def __init__(self) -> None:
        self._lock, self._users = threading.RLock(), 0

    def __enter__(self) -> None:
        import av.logging

        with self._lock:
            if self._users == 0:
                self._before = av.logging.get_level(), av.logging.get_skip_repeated()
                av.logging.set_level(av.logging.ERROR)
                av.logging.set_skip_repeated(False)
            self._users += 1

    def __exit__(self, *error: object) -> None:
        import av.logging

        with self._lock:
            self._users -= 1
            if self._users == 0:
                av.logging.set_level(self._before[0])
                av.logging.set_skip_repeated(self._before[1])


_listening = _Listening()


def decoded_frames(path: Path) -> Iterator[np.ndarray]:
    """uint8 frames `(height, width, 3)` of a video file.

    Raises:
        UserError: naming the file, if it is damaged, also where it could be decoded in part.
    """
    import av

    count, declared, last = 0, 0, None  # the true last frame may be another one
    try:
        _refuse_text(path)
        stored = _count_stored(path)
        with _listening:
            for frame, declared in _decode(path):  # noqa: B007  the last value counts
                if last is not None:
                    yield last
                last = frame
                count += 1
            hidden = 0
            if stored is None and count < declared:
                hidden = _quietly(frames_without_edit_list, path) - count
            whole = count == stored if stored is not None else count + hidden >= declared
            if last is not None and whole:
                true_last = _quietly(last_packed_picture, path)
                yield last if true_last is None else true_last
            if whole and hidden:
                _tell_of_hidden(path, hidden, count)
    except (*DECODER_ERRORS, av.FFmpegError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"{path}: cannot be decoded as a video after {count} frames: {reason}"
        ) from error
    if not whole:
        raise UserError(
            f"{path}: damaged or cut off: {count} of {stored or declared} frames can be decoded"
        )


@lru_cache(maxsize=4096)  # once a file, however often it is read
def _tell_of_hidden(path: Path, hidden: int, shown: int) -> None:
    """As after cutting without encoding anew; a damaged edit list cannot be told from that."""
    to_stderr(f"note: {path}: its edit list hides {hidden} of {hidden + shown} frames")


def _refuse_text(path: Path) -> None:
    """A page or a note under a video's name, as a failed download leaves it."""
    with path.open("rb") as file:
        start = file.read(512)
    if start.startswith(GIF_START):  # which is text as far as that
        return
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError:
        return
    if all(c.isprintable() or c.isspace() for c in text):
        shown = " ".join(text.split())[:40]
        raise UserError(f"{path}: is a text file, not a video; it begins with {shown!r}")


def frames_that_decode(path: Path) -> Iterator[np.ndarray]:
    """uint8 frames `(height, width, 3)` of a damaged video file, up to where no more comes.

    Frames that the decoder patched from others are among them, lost ones are not.
    """
    import av

    with _listening:
        try:
            for frame, _ in _decode(path, strict=False):
                yield frame
        except (*DECODER_ERRORS, av.FFmpegError):
            return


def read_display(path: Path) -> Display:
    """How a video file asks to be shown.

    Raises:
        av.FFmpegError: if its first frame cannot be decoded.
    """
    import av

    with av.logging.Capture(), openable(path) as file, av.open(file, "r") as container:
        stream = one_thread(container)
        frame = next(container.decode(stream), None)
        return Display() if frame is None else display_of(stream, frame)


def _quietly(look: Callable[[Path], Any], path: Path) -> Any:
    import av

    with av.logging.Capture():
        return look(path)


def _count_stored(path: Path) -> int | None:
    try:
        check_sample_tables(path)
        return stored_frames(path)
    except ValueError as error:
        raise UserError(f"{path}: damaged or cut off: {error}") from error


def _decode(path: Path, strict: bool = True) -> Iterator[tuple[np.ndarray, int]]:
    """Frames, and how many the file declares: 0 where it does not say."""
    import av
    from av.video.reformatter import VideoReformatter

    reformatter = VideoReformatter()
    with openable(path) as file:
        with av.logging.Capture() as complaints:
            container = av.open(file, "r")
        with container:
            if not container.streams.video:
                raise UserError(f"{path}: holds sound and no pictures")
            stream = one_thread(container)
            check_size(path, stream.width, stream.height)
            stream.codec_context.options = STRICT if strict else {}
            frames = container.decode(stream)
            display: Display | None = None
            while True:
                with av.logging.Capture() as more:
                    frame = next(frames, None)
                complaints += more
                if strict and complaints:
                    raise ValueError(f"it is damaged: {complaints[0][2].strip()}")
                if frame is None:
                    return
                if strict and frame.is_corrupt:
                    raise ValueError("it is damaged: a frame lacks parts")
                check_size(path, frame.width, frame.height)  # GIFs tell it only now
                display = display or display_of(stream, frame)
                yield display.picture(frame, partial(reformatter.reformat, frame)), stream.frames


def folder_frames(folder: Path, scale: bool = False) -> Iterator[np.ndarray]:
    """uint8 frames `(height, width, 3)` of the pictures in a folder, in natural order of names.

    Args:
        scale: take 16-bit grey pictures, 0 to 65535 becoming 0 to 255.
    """
    with reading(folder):
        files = [p for p in folder.iterdir() if p.suffix.lower() in FRAME_SUFFIXES]
    if not files:
        raise UserError(f"{folder}: holds no frames ({', '.join(FRAME_SUFFIXES)})")
    for file in sorted(files, key=natural_key):
        yield read_picture(file, scale)


def read_picture(file: Path, scale: bool = False) -> np.ndarray:
    """A picture file as uint8 `(height, width, 3)`; see `folder_frames`.

    Raises:
        UserError: naming the file, if it cannot be read.
    """
    from PIL import Image

    require_regular(file)
    try:
        with Image.open(file) as image:
            check_size(file, *image.size)
            deep = image.mode.startswith(("I", "F"))
            frame = _eight_bits(image) if deep and scale else np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{file}: cannot be decoded as an image: {error}") from error
    if deep and not scale:  # Pillow would clip all that is above 255
        raise UserError(f"{file}: has more than 8 bits a pixel; {SCALING}")
    return frame


def _eight_bits(image: Any) -> np.ndarray:
    """A 16-bit grey picture as uint8 `(height, width, 3)`."""
    levels = np.asarray(image)
    if not 0 <= levels.min() <= levels.max() <= MOST_16_BIT:
        raise ValueError(f"it has levels from {levels.min()} to {levels.max()}, not 0 to 65535")
    return np.repeat(to_8_bits(levels)[..., None], 3, axis=-1)
