"""The blocks of Matroska and WebM: RFC 9559; the elements are EBML, RFC 8794."""

from __future__ import annotations

import math
import mmap
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from statistics import median
from typing import NamedTuple

Content = mmap.mmap | bytes

SEGMENT, TRACKS, TRACK, CLUSTER = 0x18538067, 0x1654AE6B, 0xAE, 0x1F43B675
TRACK_NUMBER, TRACK_TYPE, CODEC, ENCODINGS = 0xD7, 0x83, 0x86, 0x6D80
SIMPLE_BLOCK, BLOCK_GROUP, BLOCK = 0xA3, 0xA0, 0xA1
TIME, CRC, VOID = 0xE7, 0xBF, 0xEC
VIDEO = 1
# What may lie in a segment (beside clusters, tracks: seek head, info, cues, chapters, attachments,
# tags), in a cluster (time, silent tracks, position, size of the one before) and
# in a group of blocks. Anything else is damage.
IN_SEGMENT = {0x114D9B74, 0x1549A966, TRACKS, 0x1C53BB6B, 0x1043A770, 0x1941A469, 0x1254C367}
IN_CLUSTER = {TIME, 0x5854, 0xA7, 0xAB, SIMPLE_BLOCK, BLOCK_GROUP}
NUMBERS, LONGEST_NUMBER = {TIME, 0xA7, 0xAB}, 8  # bytes
IN_GROUP = {BLOCK, 0x9B, 0xFB, 0xFA, 0xFD, 0xA2, 0xA4, 0x75A1, 0x75A2, 0x8E, 0xC8}


class _Element(NamedTuple):
    identifier: int
    start: int  # of its content
    end: int


def matroska_frames(content: Content) -> int | None:
    """Frames of the first video track, `None` where blocks do not tell; errors of `gif_frames`."""
    _, *rest = _elements(content, 0, len(content))
    if not rest or rest[0].identifier != SEGMENT:
        raise ValueError("it has no segment")
    if any(element.identifier != VOID for element in rest[1:]):
        raise ValueError(f"it goes on after its segment, at byte {rest[0].end}")
    segment = rest[0]
    blocks: list[_Block] = []
    video: _Track | None = None
    tracks: set[int] = set()
    for element in _elements(content, segment.start, segment.end):
        if element.identifier == CLUSTER:
            if not tracks:
                raise ValueError("it has no tracks")
            blocks += _cluster_blocks(content, element, tracks, video)
        elif element.identifier == TRACKS:
            video, tracks = _tracks(content, element)
        elif element.identifier not in (*IN_SEGMENT, VOID):
            raise ValueError(f"an unknown element at byte {element.start}")
    usual = _usual_gap(blocks)
    _check_hidden(blocks, usual)
    if video is not None:
        _check_swallowed(content, blocks, video, usual)
    frames = sum(block.frames for block in blocks)
    return frames if video is not None and video.countable else None


class _Block(NamedTuple):
    time: int
    frames: int  # that are shown
    start: int  # of its data
    end: int


def _check_hidden(blocks: list[_Block], usual: float) -> None:
    """A frame that only helps to decode comes right after a shown one, not in the next one's place.

    Where it does take a place, one changed bit has hidden a frame.
    """
    for before, block in pairwise(blocks):
        if not block.frames and block.time - before.time > usual / 2:
            raise ValueError("a frame is hidden in the place of a shown one")


def _check_swallowed(content: Content, blocks: list[_Block], video: _Track, usual: float) -> None:
    """A block whose length is damaged may hold the next one, where a time is left out."""
    for block, after in pairwise(blocks):
        if after.time - block.time <= 1.5 * usual:
            continue
        places = range(block.start, block.end)
        if any(_is_block(content, place, block.end, video) for place in places):
            raise ValueError(f"the block at byte {block.start} holds another one")


def _is_block(content: Content, place: int, end: int, video: _Track) -> bool:
    """Whether a block of the track lies between two bytes of another one's data."""
    if content[place] not in (SIMPLE_BLOCK, BLOCK_GROUP):
        return False
    with suppress(ValueError, IndexError):  # as of most data
        length, position = _number(content, place + 1)
        if length is None or position + length != end:
            return False
        if content[place] == BLOCK_GROUP and content[position] == BLOCK:
            _, position = _number(content, position + 1)
        return _number(content, position)[0] == video.number
    return False


def _usual_gap(blocks: list[_Block]) -> float:
    """The median time from one shown frame to the next; without end where there are too few."""
    shown = [block.time for block in blocks if block.frames]
    return median(after - before for before, after in pairwise(shown)) if shown[1:] else math.inf


class _Track(NamedTuple):
    number: int
    hides: bool  # VP8 says in each frame whether it is shown
    countable: bool


def _tracks(content: Content, tracks: _Element) -> tuple[_Track | None, set[int]]:
    """The first video track, and the numbers of all."""
    video, numbers = None, set()
    for entry in _elements(content, tracks.start, tracks.end):
        if entry.identifier != TRACK:
            continue
        found = {e.identifier: e for e in _elements(content, entry.start, entry.end)}
        fields = {key: content[e.start : e.end] for key, e in found.items()}
        number = int.from_bytes(fields[TRACK_NUMBER], "big")
        numbers.add(number)
        if int.from_bytes(fields.get(TRACK_TYPE, b""), "big") == VIDEO and video is None:
            hides = fields.get(CODEC, b"").rstrip(b"\0") == b"V_VP8"
            video = _Track(number, hides, countable=not (hides and ENCODINGS in fields))
    return video, numbers


def _cluster_blocks(
    content: Content, cluster: _Element, tracks: set[int], video: _Track | None
) -> Iterator[_Block]:
    """The blocks of the video track."""
    time = 0
    for element in _elements(content, cluster.start, cluster.end):
        if element.identifier == TIME:
            time = int.from_bytes(content[element.start : element.end], "big")
        elif element.identifier == SIMPLE_BLOCK:
            yield from _block(content, element, tracks, video, time)
        elif element.identifier == BLOCK_GROUP:
            for part in _elements(content, element.start, element.end):
                if part.identifier == BLOCK:
                    yield from _block(content, part, tracks, video, time)
                elif part.identifier not in (*IN_GROUP, VOID):
                    raise ValueError(f"an unknown element at byte {part.start}")
        elif element.identifier not in (*IN_CLUSTER, VOID):
            raise ValueError(f"an unknown element at byte {element.start}")
        if element.identifier in NUMBERS and element.end - element.start > LONGEST_NUMBER:
            raise ValueError(f"a number of too many bytes at byte {element.start}")
        begin = content[element.start : min(element.start + 1, element.end)]
        if element.identifier == VOID and begin and begin[0] - 0x80 in tracks:
            raise ValueError(f"a block in an empty place at byte {element.start}")


def _block(
    content: Content, block: _Element, tracks: set[int], video: _Track | None, cluster_time: int
) -> Iterator[_Block]:
    number, position = _number(content, block.start)
    if number not in tracks:
        raise ValueError(f"a block of no track at byte {block.start}")
    if video is None or number != video.number:
        return
    time = cluster_time + int.from_bytes(content[position : position + 2], "big", signed=True)
    position += 2
    if content[position] & 0x06:  # several frames in one block
        yield _Block(time, content[position + 1] + 1, position + 1, block.end)
        return
    hidden = position + 1 >= block.end or (video.hides and not content[position + 1] & 0x10)
    yield _Block(time, 0 if hidden else 1, position + 1, block.end)


def _elements(content: Content, start: int, end: int) -> Iterator[_Element]:
    """The elements between two bytes; their checksum is verified where there is one."""
    position = start
    while position < end:
        first = position
        identifier, position = _identifier(content, position)
        length, position = _number(content, position)
        if length is None:  # recorded live: it ends where the next one of its kind begins
            stop = _end_of_unknown(content, identifier, position, end)
        else:
            stop = position + length
        if stop > end:
            raise ValueError(f"the element at byte {first} is longer than what it lies in")
        if identifier == CRC:
            found = int.from_bytes(content[position:stop], "little")
            if first != start or zlib.crc32(content[stop:end]) != found:
                raise ValueError(f"a checksum does not fit, at byte {first}")
        else:
            yield _Element(identifier, position, stop)
        position = stop


def _end_of_unknown(content: Content, identifier: int, position: int, end: int) -> int:
    if identifier != CLUSTER:
        return end
    while position < end:
        inner, after = _identifier(content, position)
        if inner in IN_SEGMENT or inner == CLUSTER:
            return position
        length, after = _number(content, after)
        if length is None:
            raise ValueError(f"an element without a length at byte {position}")
        position = after + length
    return end


def _identifier(content: Content, position: int) -> tuple[int, int]:
    """An element's identifier at a byte, and the byte after it."""
    end = position + _width(content, position)
    return int.from_bytes(content[position:end], "big"), end


def _number(content: Content, position: int) -> tuple[int | None, int]:
    """A number of variable length at a byte, and the byte after it; `None` if it is unknown."""
    width = _width(content, position)
    unknown = (1 << 7 * width) - 1
    value = int.from_bytes(content[position : position + width], "big") & unknown
    return None if value == unknown else value, position + width


def _width(content: Content, position: int) -> int:
    """Bytes of an identifier or number: the leading zero bits of its first byte tell."""
    first = content[position]
    if not first:
        raise ValueError(f"no element where one should begin, at byte {position}")
    width = 9 - first.bit_length()
    if len(content) < position + width:
        raise IndexError
    return width
