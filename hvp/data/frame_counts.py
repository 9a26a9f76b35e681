"""How many frames GIF and Matroska files store, counted by their blocks, without any decoder.

Decoders pass over what they cannot read; where that was a frame, only the container tells. Both
formats are chains of blocks, each with its length: a chain that breaks is damage as well.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from hvp.data.gif_blocks import gif_frames
from hvp.data.matroska_blocks import matroska_frames

GIF_START, EBML_START = b"GIF8", b"\x1a\x45\xdf\xa3"


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
                return gif_frames(content) if start == GIF_START else matroska_frames(content)
            except (LookupError, struct.error):
                raise ValueError("the file ends too early") from None
