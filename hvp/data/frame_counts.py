"""How many frames GIF and Matroska files store, counted by their blocks, without any decoder.

Decoders pass over what they cannot read; where that was a frame, only the container tells. Both
formats are chains of blocks, each with its length: a chain that breaks is damage as well.

GIF: "Graphics Interchange Format, Version 89a" (CompuServe, 1990). Matroska and WebM: RFC 9559; the
elements are EBML, RFC 8794.
"""

from __future__ import annotations

import mmap
import re
import struct
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

Content = mmap.mmap | bytes

GIF_START, EBML_START = b"GIF8", b"\x1a\x45\xdf\xa3"
MOST_CODES = 4096  # of a picture of a GIF, of 12 bits
LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")  # how often to play, how much to load before
# A control block, and what may follow it.
PICTURE_BEGINS = re.compile(rb"!\xf9\x04.{4}\x00[,!]", re.DOTALL)
GIF_EXTENSIONS = (0x01, 0xF9, 0xFE, 0xFF)  # text, control, comment, application


def stored_frames(path: Path) -> int | None:
    """Frames of a GIF, or of the first video track of a Matroska file.

    Returns:
        Their number, or `None` for all other files, and where blocks do not tell it.

    Raises:
        ValueError: saying what is wrong, if the chain of blocks breaks.
        OSError: if the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(4)
        if start not in (GIF_START, EBML_START):
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                return _gif_frames(content) if start == GIF_START else _matroska_frames(content)
            except (LookupError, struct.error):
                raise ValueError("the file ends too early") from None


def _gif_frames(content: Content) -> int:
    position = 13 + _color_table(content[10])
    frames = 0
    while (kind := content[position]) != ord(";"):
        if kind == ord("!"):
            if content[position + 1] not in GIF_EXTENSIONS:
                raise ValueError(f"an unknown block at byte {position}")
            parts, end = _parts(content, position + 2)
            _check_extension(content, position, parts, end)
            position = end
        elif kind == ord(","):
            frames += 1
            first = position + 10 + _color_table(content[position + 9])
            parts, end = _parts(content, first + 1)
            # Encoders fill all parts but the last. If not: a length may be damaged, so that the
            # chain led on through the next picture.
            if len({stop - start for start, stop in parts[:-1]}) > 1:
                data = b"".join(content[start:stop] for start, stop in parts)
                width, height = struct.unpack_from("<HH", content, position + 5)
                used, pixels = _lzw_length(data, content[first])
                if used < len(data) - 1 or pixels != width * height:
                    raise ValueError(f"the picture at byte {position} has more or less data than pixels")
            position = end
        else:
            raise ValueError(f"no block where one should begin, at byte {position}")
    if content[position + 1 :].strip(b"\0\r\n"):
        raise ValueError(f"it goes on after its end, at byte {position}")
    return frames


def _check_extension(
    content: Content, position: int, parts: list[tuple[int, int]], end: int
) -> None:
    """One whose lengths are damaged may lead on through the next picture."""
    sizes = [stop - start for start, stop in parts]
    kind, name = content[position + 1], content[position + 3 : position + 14]
    sound = {
        0x01: sizes[:1] == [12],  # text
        0xF9: sizes == [4],  # control
        0xFE: True,  # comment
        0xFF: sizes[:1] == [11] and (name not in LOOPS or set(sizes[1:]) <= {3, 5}),  # application
    }[kind]
    if not sound or PICTURE_BEGINS.search(content[position + 2 : end]):
        raise ValueError(f"the block at byte {position} has other lengths than its kind")


def _parts(content: Content, position: int) -> tuple[list[tuple[int, int]], int]:
    """First and end of the parts (of up to 255 bytes) of a block's data, and the byte after it."""
    parts = []
    while size := content[position]:
        parts.append((position + 1, position + 1 + size))
        position += 1 + size
    return parts, position + 1


def _lzw_length(data: bytes, min_width: int) -> tuple[int, int]:
    """Bytes of compressed pixels up to the code that ends them (all if there is none), and pixels.

    Raises:
        ValueError: for codes that stand for nothing.
    """
    if not 1 <= min_width <= 11:
        raise ValueError(f"codes of {min_width} bits")
    clear = 1 << min_width
    start = [1] * clear + [0, 0]  # pixels that each code stands for
    width, lengths, before = min_width + 1, start.copy(), 0
    bits = held = pixels = 0
    for place, byte in enumerate(data):
        bits |= byte << held
        held += 8
        while held >= width:
            code, bits, held = bits & (1 << width) - 1, bits >> width, held - width
            if code == clear + 1:
                return place + 1, pixels
            if code == clear:
                width, lengths, before = min_width + 1, start.copy(), 0
                continue
            if before and len(lengths) < MOST_CODES:
                lengths.append(before + 1)
            if code >= len(lengths):
                raise ValueError("a picture has codes that stand for nothing")
            before = lengths[code]
            pixels += before
            if len(lengths) >= 1 << width and width < 12:
                width += 1
    return len(data), pixels


def _color_table(flags: int) -> int:
    """Bytes of the table of colours that follows, as the flags before it say."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


SEGMENT, TRACKS, TRACK, CLUSTER = 0x18538067, 0x1654AE6B, 0xAE, 0x1F43B675
TRACK_NUMBER, TRACK_TYPE, CODEC, ENCODINGS = 0xD7, 0x83, 0x86, 0x6D80
SIMPLE_BLOCK, BLOCK_GROUP, BLOCK = 0xA3, 0xA0, 0xA1
TIME, CRC, VOID = 0xE7, 0xBF, 0xEC
VIDEO = 1
# What may lie in a segment (beside clusters, tracks: seek head, info, cues, chapters, attachments,
# tags), in a cluster (time, silent tracks, position, size of the one before, encrypted blocks) and
# in a group of blocks. Anything else is damage.
IN_SEGMENT = {0x114D9B74, 0x1549A966, TRACKS, 0x1C53BB6B, 0x1043A770, 0x1941A469, 0x1254C367}
IN_CLUSTER = {TIME, 0x5854, 0xA7, 0xAB, SIMPLE_BLOCK, BLOCK_GROUP, 0xAF}
IN_GROUP = {BLOCK, 0x9B, 0xFB, 0xFA, 0xFD, 0xA2, 0xA4, 0x75A1, 0x75A2, 0x8E, 0xC8}


class _Element(NamedTuple):
    identifier: int
    start: int  # of its content
    end: int


def _matroska_frames(content: Content) -> int | None:
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
    _check_hidden(blocks)
    frames = sum(block.frames for block in blocks)
    return frames if video is not None and video.countable else None


class _Block(NamedTuple):
    time: int
    frames: int  # that are shown


def _check_hidden(blocks: list[_Block]) -> None:
    """A frame that only helps to decode comes right after a shown one, not in the next one's place.

    Where it does take a place, one changed bit has hidden a frame.
    """
    shown = [block.time for block in blocks if block.frames]
    gaps = sorted(after - before for before, after in pairwise(shown))
    for before, block in pairwise(blocks):
        if gaps and not block.frames and block.time - before.time > gaps[len(gaps) // 2] / 2:
            raise ValueError("a frame is hidden in the place of a shown one")


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
        yield _Block(time, content[position + 1] + 1)
        return
    hidden = position + 1 >= block.end or (video.hides and not content[position + 1] & 0x10)
    yield _Block(time, 0 if hidden else 1)


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
            if first == start and zlib.crc32(content[stop:end]) != found:
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
