"""The chain of blocks of a GIF: "Graphics Interchange Format, Version 89a" (CompuServe, 1990)."""

from __future__ import annotations

import mmap
import re
import struct

Content = mmap.mmap | bytes

MOST_CODES = 4096  # of a picture, of 12 bits
LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")  # how often to play, how much to load before
# A control block, and what may follow it.
PICTURE_BEGINS = re.compile(rb"!\xf9\x04.{4}\x00[,!]", re.DOTALL)
EXTENSIONS = (0x01, 0xF9, 0xFE, 0xFF)  # text, control, comment, application


def gif_frames(content: Content) -> int:
    """Pictures of a GIF.

    Raises:
        ValueError: saying what is wrong, if the chain of blocks breaks.
        IndexError, struct.error: if the file ends too early.
    """
    position = 13 + _color_table(content[10])
    frames = 0
    while (kind := content[position]) != ord(";"):
        if kind == ord("!"):
            if content[position + 1] not in EXTENSIONS:
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
                    raise ValueError(
                        f"the picture at byte {position} has more or less data than pixels"
                    )
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
        0xFF: sizes[:1] == [11]  # application
        and (set(sizes[1:]) <= {3, 5} if name in LOOPS else name.isascii() and min(name) >= 32),
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
