"""MP4 and MOV: whether the tables of a video agree with each other on how many frames there are.

A damaged table or edit list makes a shorter video, of which the decoder knows nothing. ISO/IEC
14496-12 says the same number several times. Fragmented files keep no such tables and pass.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

# What such files begin with.
KINDS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
SLACK = 0.02  # seconds that rounded durations may differ by: less than a frame
MANY = 10**7  # frames: more are not looked at one by one
UNKNOWN = (2**32 - 1, 2**64 - 1)  # a duration that is not stated

Content = mmap.mmap | bytes
Boxes = dict[bytes, list[bytes]]


def check_sample_tables(path: Path) -> None:
    """Raises a `ValueError`, saying what, if a file's tables contradict each other."""
    with path.open("rb") as file:
        if file.read(8)[4:] not in KINDS:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            movies = [content[a:b] for kind, a, b in _boxes(content) if kind == b"moov"]
    if not movies:
        raise ValueError("its table of contents is missing")
    try:
        inner = _inside(movies[0])
        movie_scale, _ = _header(inner[b"mvhd"][0])
        for track in inner.get(b"trak", []):
            _check_track(_inside(track), movie_scale)
    except (struct.error, IndexError, KeyError) as error:
        raise ValueError(f"its table of contents is damaged: {error!r}") from None


def _boxes(content: Content) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the boxes that follow each other, up to what is no box."""
    position = 0
    while position + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, position)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, position + 8)
            head = 16
        end = len(content) if size == 0 else position + size
        if end < position + head:
            return
        yield kind, position + head, end
        position = end


def _inside(box: bytes) -> Boxes:
    found: Boxes = {}
    for kind, start, end in _boxes(box):
        found.setdefault(kind, []).append(box[start:end])
    return found


def _header(box: bytes) -> tuple[int, int]:
    """Units a second, and the duration in units, of a movie or a track's media."""
    if box[0] == 1:
        return struct.unpack_from(">IQ", box, 20)
    return struct.unpack_from(">II", box, 12)


def _check_track(track: Boxes, movie_scale: int) -> None:
    media = _inside(track[b"mdia"][0])
    if media[b"hdlr"][0][8:12] != b"vide":
        return
    tables = _inside(_inside(media[b"minf"][0])[b"stbl"][0])
    sizes = tables.get(b"stsz") or tables[b"stz2"]
    (count,) = struct.unpack_from(">I", sizes[0], 8)
    if not count:
        return
    durations = _pairs(tables[b"stts"][0])
    numbers = {"durations": _total(durations), "chunks": _in_chunks(tables)}
    offsets = _pairs(tables[b"ctts"][0]) if b"ctts" in tables else []
    if offsets:
        numbers["display times"] = _total(offsets)
    for what, number in numbers.items():
        if number != count:
            raise ValueError(f"it has {count} frames, {what} for {number}")
    shown = None
    if offsets and count <= MANY:
        shown = _display_times(durations, offsets)
    if b"edts" in track:
        header = _header(media[b"mdhd"][0])
        _check_length(durations, header)
        shift = max((_signed(offset) for _, offset in offsets), default=0)
        edits = _check_edits(track, header, shift, movie_scale)
        if shown is not None and edits:
            ends = [start + length / movie_scale * header[0] for length, start in edits]
            _check_hidden(
                shown, [(start, end) for (_, start), end in zip(edits, ends, strict=True)]
            )


def _check_length(durations: list[tuple[int, int]], header: tuple[int, int]) -> None:
    """Frames together last no longer than the track: edits would leave out later ones."""
    scale, length = header
    total = sum(number * duration for number, duration in durations)
    if length not in (0, *UNKNOWN) and total - length > SLACK * scale:
        raise ValueError("its frames last longer than its track")


def _check_hidden(shown: np.ndarray, edits: list[tuple[float, float]]) -> None:
    """A frame that edits leave out must follow the others, not come from a hole among them."""
    shown = np.sort(shown)
    kept = np.logical_or.reduce([(start <= shown) & (shown < end) for start, end in edits])
    gaps = np.diff(shown)
    odd = gaps != np.median(gaps)
    apart = odd & (kept[1:] != kept[:-1])  # one that is left out, and not in its place
    if (~kept).sum() in (1, 2) and apart.any() and (odd & kept[1:] & kept[:-1]).any():
        raise ValueError("its display times do not fit its edit list")


def _display_times(durations: list[tuple[int, int]], offsets: list[tuple[int, int]]) -> np.ndarray:
    """Frames are shown in another order than they are decoded in, but for as long in all."""
    steps = np.repeat([d for _, d in durations], [n for n, _ in durations])
    decoded = np.cumsum(steps) - steps
    shown = decoded + np.repeat([_signed(o) for _, o in offsets], [n for n, _ in offsets])
    if abs(np.ptp(shown) - np.ptp(decoded)) > 4 * steps.max() or len(set(shown)) < len(shown):
        raise ValueError("its display times do not fit together")
    return shown


def _signed(number: int) -> int:
    return number - 2**32 if number >= 2**31 else number


def _total(rows: list[tuple[int, int]]) -> int:
    return sum(number for number, _ in rows)


def _pairs(box: bytes) -> list[tuple[int, int]]:
    """A table's rows of two numbers."""
    (rows,) = struct.unpack_from(">I", box, 4)
    return [
        struct.unpack_from(">II", box, 8 + 8 * row) for row in range(min(rows, len(box) // 8 + 1))
    ]


def _in_chunks(tables: Boxes) -> int:
    """Frames that all chunks hold together: `stsc` says how many each has from the n-th on."""
    places = tables.get(b"stco") or tables[b"co64"]
    (chunks,) = struct.unpack_from(">I", places[0], 4)
    (rows,) = struct.unpack_from(">I", tables[b"stsc"][0], 4)
    runs = [
        struct.unpack_from(">II", tables[b"stsc"][0], 8 + 12 * row)
        for row in range(min(rows, chunks))
    ]
    ends = [first for first, _ in runs[1:]] + [chunks + 1]
    return sum((end - first) * each for (first, each), end in zip(runs, ends, strict=True))


def _check_edits(
    track: Boxes, media: tuple[int, int], shift: int, movie_scale: int
) -> list[tuple[Any, ...]]:
    """An edit list must be as long as its track, and show nothing after the media's end.

    Returns:
        Its rows; none where no scale tells how long they are.
    """
    head = track[b"tkhd"][0]
    (length,) = (
        struct.unpack_from(">Q", head, 28) if head[0] == 1 else struct.unpack_from(">I", head, 20)
    )
    edits = _edits(_inside(track[b"edts"][0])[b"elst"][0])
    if not edits or not movie_scale or not media[0]:
        return []
    total = sum(duration for duration, _ in edits)
    if length not in UNKNOWN and abs(total - length) > SLACK * movie_scale:
        raise ValueError("its edit list is not as long as its track")
    for duration, start in edits:
        end = start / media[0] + duration / movie_scale
        if start >= 0 and media[1] not in UNKNOWN and end > (media[1] + shift) / media[0] + SLACK:
            raise ValueError("its edit list shows more than there is")
    return edits


def _edits(box: bytes) -> list[tuple[Any, ...]]:
    """Duration (in the movie's units) and first moment (in the media's) of each edit."""
    (rows,) = struct.unpack_from(">I", box, 4)
    form, step = (">Qq", 20) if box[0] == 1 else (">Ii", 12)
    return [
        struct.unpack_from(form, box, 8 + step * row) for row in range(min(rows, len(box) // step))
    ]
