"""TFRecord files as random access: where their records begin, and one record by its place."""

from __future__ import annotations

import struct
from pathlib import Path

# A record: its length (8 bytes), a checksum of that, the content, a checksum of the content.
HEAD, TAIL = 12, 4


def record_starts(path: Path) -> list[int]:
    """Where each record begins, in bytes, by the lengths that the file holds.

    Raises:
        ValueError: if these do not add up to the file's size.
        OSError: if it cannot be read.
    """
    size = path.stat().st_size
    starts: list[int] = []
    position = 0
    with path.open("rb") as file:
        while position < size:
            starts.append(position)
            file.seek(position)
            (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
            position += HEAD + length + TAIL
    if position != size:
        raise ValueError("the lengths of its records do not add up")
    return starts


def read_record(path: Path, start: int) -> bytes:
    """The content of the record that begins at byte `start`, checked by its checksums.

    Raises:
        ValueError: if it is damaged.
        OSError: if it cannot be read.
    """
    import tensorflow as tf
    from tensorflow.python.lib.io.tf_record import tf_record_random_reader

    try:
        reader = tf_record_random_reader(str(path))
        try:
            record, _ = reader.read(start)
        finally:
            reader.close()
    except (tf.errors.OpError, IndexError) as error:
        raise ValueError(getattr(error, "message", None) or error) from error
    return record
