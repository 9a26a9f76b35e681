"""What decoders do not tell: files without their end, and frames hidden by edit lists."""

from __future__ import annotations

import io
from pathlib import Path

GIF_END = b";"
MATROSKA_SUFFIXES = (".mkv", ".webm")
MATROSKA_SEGMENT = b"\x18\x53\x80\x67"  # the element that holds everything but the header
HEAD, TAIL = 4096, 64  # bytes that are looked at


def is_cut_off(path: Path) -> bool:
    """Whether a `.gif`, `.mkv` or `.webm` lacks its end; `False` for all other files.

    The decoder would give the frames that are left without a word. A Matroska file that was
    recorded live does not say how long it is, and passes.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
        size = file.seek(0, io.SEEK_END)
        file.seek(-min(TAIL, size), io.SEEK_END)
        tail = file.read()
    if path.suffix.lower() == ".gif":
        return head.startswith(b"GIF8") and not tail.rstrip(b"\0").endswith(GIF_END)
    if path.suffix.lower() in MATROSKA_SUFFIXES:
        declared = _matroska_size(head)
        return declared is not None and size < declared
    return False


def frames_without_edit_list(path: Path) -> int:
    """Frames that a file stores, with those that its edit list hides (MP4 and MOV).

    Cutting without encoding again leaves such frames: they are needed to decode, but not shown.

    Raises:
        av.FFmpegError: if the file cannot be decoded.
    """
    import av

    with av.open(str(path), options={"ignore_editlist": "1"}) as container:
        return sum(1 for _ in container.decode(video=0))


def _matroska_size(head: bytes) -> int | None:
    """Bytes of the whole file, as its first bytes declare; `None` where they do not."""
    position = 0
    while position < len(head):
        # An element: its identifier, its length, its content. The leading zero bits of each of
        # the first two tell how many bytes it takes.
        identifier = head[position : position + 9 - head[position].bit_length()]
        position += len(identifier)
        if position >= len(head) or not head[position]:
            return None
        width = 9 - head[position].bit_length()
        unknown = (1 << 7 * width) - 1
        length = int.from_bytes(head[position : position + width], "big") & unknown
        if length == unknown:
            return None
        position += width + length
        if identifier == MATROSKA_SEGMENT:
            return position
    return None
