"""What decoders do not tell: hidden and lost frames, and times of display."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from hvp.data.display import display_of

MPEG4_PICTURE = b"\x00\x00\x01\xb6"  # start code of a picture (VOP) in MPEG-4 Part 2
PLACEHOLDER_BYTES = 8  # pictures of no more bytes are placeholders: "show what came before"


@contextmanager
def openable(path: Path) -> Iterator[str | BinaryIO]:
    """`path` as PyAV takes it: its text, or the opened file where the name is not valid UTF-8."""
    try:
        name = str(path)
        name.encode()
    except UnicodeEncodeError:
        with path.open("rb") as file:
            yield file
    else:
        yield name


def one_thread(container: Any) -> Any:
    """The video stream, decoded in the thread that asks; see `hvp.data.decoding`."""
    stream = container.streams.video[0]
    stream.codec_context.thread_type, stream.codec_context.thread_count = "NONE", 1
    return stream


def frames_without_edit_list(path: Path) -> int:
    """Frames that a file stores, with those that its edit list hides (MP4 and MOV).

    Cutting without encoding again leaves such frames: they are needed to decode, but not shown.

    Raises:
        av.FFmpegError: if the file cannot be decoded.
    """
    import av

    options = {"ignore_editlist": "1"}
    with openable(path) as file, av.open(file, "r", options=options) as container:
        return sum(1 for _ in container.decode(one_thread(container)))


def frame_times(path: Path, count: int) -> tuple[np.ndarray, float] | None:
    """When each of the `count` frames that were decoded is shown.

    Returns:
        Seconds from the first frame, float64 `(count,)`, and the end of the last frame. Where the
        stored times do not fit the frames (as in packed MPEG-4, whose demuxer has them wrong, or
        with edit lists), frames are taken to follow each other at the average rate. `None` where
        the file tells no rate either.

    Raises:
        av.FFmpegError: if the file cannot be opened.
    """
    import av

    with av.logging.Capture(), openable(path) as file, av.open(file, "r") as container:
        stream = container.streams.video[0]
        packets = [p for p in container.demux(stream) if p.size and not p.is_discard]
        times = sorted(p.pts for p in packets if p.pts is not None)
        if len(times) == count and len(set(times)) == count:
            unit = stream.time_base or 0
            seconds = np.array([float((t - times[0]) * unit) for t in times])
            gaps = np.diff(seconds)
            last = max(packets, key=lambda p: p.pts or 0).duration
            shown = float(last * unit) if last else float(np.median(gaps or [0.04]))
            return seconds, seconds[-1] + shown
        rate = stream.average_rate or stream.guessed_rate
    if not rate:
        return None
    return np.arange(count) / float(rate), count / float(rate)


def last_packed_picture(path: Path) -> np.ndarray | None:
    """The true last frame of an MPEG-4 file in which the decoder loses it, else `None`.

    Encoders such as XviD pack a P picture and the B picture shown before it into one chunk, and
    later fill the place of the P picture with a placeholder. The decoder therefore holds one B
    picture back until the next chunk comes. A file that was cut before the placeholder (many clips
    of UCF-101) ends with a B picture that no chunk drives out: it is lost, and the P picture, which
    belongs after the end of the clip, comes in its place. One more placeholder drives it out.

    Returns:
        uint8 `(height, width, 3)`.

    Raises:
        av.FFmpegError: if the file cannot be decoded.
    """
    import av

    with openable(path) as file, av.open(file, "r") as container:
        stream = container.streams.video[0]
        if stream.codec_context.name != "mpeg4":
            return None
        held_back, placeholder = 0, None
        for packet in container.demux(stream):
            if packet.size:
                content = bytes(packet)
                held_back += content.count(MPEG4_PICTURE) - 1
                if packet.size <= PLACEHOLDER_BYTES:
                    held_back -= 1
                    placeholder = content
        if held_back <= 0 or placeholder is None:
            return None
    with openable(path) as file, av.open(file, "r") as container:
        stream = one_thread(container)
        for packet in container.demux(stream):
            if packet.size:
                stream.codec_context.decode(packet)
        driven_out = stream.codec_context.decode(av.Packet(placeholder))
        if not driven_out:
            return None
        return display_of(stream, driven_out[0]).picture(driven_out[0], driven_out[0].reformat)
