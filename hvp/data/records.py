"""Shards of prepared clips: TFRecord files, written, read and checked.

Each record is a `tf.train.Example` of one clip: `name` (bytes), `shape` (four integers: time,
height, width, channels) and `frames` (bytes, uint8 in C order), so that any TFRecordDataset reads
it. `info.json` says at which byte each clip's frames begin: we read windows directly from there, in
any order. Equal clips give equal bytes, on any machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from hvp.data.prepared_folder import ClipEntry, Shard, read_info, shard_problem
from hvp.data.raw_frames import RawFrames
from hvp.data.tf_records import HEAD, TAIL, read_record, record_starts
from hvp.errors import UserError
from hvp.files import file_sha256, replacing
from hvp.text import valid_text

MAX_CLIP_BYTES = 2**31 - 2**16  # a tf.train.Example cannot hold more
AGAIN = "run python -m hvp prepare again, it makes it anew"


def write_shard(path: Path, clips: Iterable[tuple[str, np.ndarray]]) -> Shard:
    """Writes one TFRecord file.

    Args:
        path: the file, which appears only once it is complete.
        clips: name and uint8 frames `(time, height, width, channels)` of each.

    Returns:
        What `info.json` says of it.
    """
    import tensorflow as tf

    entries, position = [], 0
    with replacing(path, alone=True) as partial:
        try:
            with tf.io.TFRecordWriter(str(partial)) as writer:
                for name, frames in clips:
                    name, content = valid_text(name), frames.tobytes()
                    example = _example(name, frames.shape, content)
                    # The order of a map's entries is otherwise another one in every process.
                    record = example.SerializeToString(deterministic=True)
                    writer.write(record)
                    offset = position + HEAD + record.index(content)
                    entries.append(ClipEntry(name, len(frames), offset))
                    position += HEAD + len(record) + TAIL
        except tf.errors.OpError as error:
            raise UserError(f"cannot write to {path}: {error.message}") from error
        if partial.stat().st_size != position:
            raise OSError("it has not been written completely; is the disk full?")
        digest = file_sha256(partial)
    return Shard(path.name, position, digest, entries)


def _example(name: str, shape: tuple[int, ...], content: bytes) -> Any:
    import tensorflow as tf

    def of_bytes(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    features = {
        "name": of_bytes(name.encode()),
        "shape": tf.train.Feature(int64_list=tf.train.Int64List(value=shape)),
        "frames": of_bytes(content),
    }
    return tf.train.Example(features=tf.train.Features(feature=features))


class CheckedShard:
    """The clips of one shard. Each is checked, by its record's checksums, before it is first used.

    Args:
        folder: the prepared folder.
        shard: what `info.json` says of the shard.
        frame: height, width and channels.
    """

    def __init__(self, folder: Path, shard: Shard, frame: tuple[int, int, int]):
        self._path, self._shard, self._frame = folder / shard.file, shard, frame
        self._starts: list[int] | None = None
        self._checked = bytearray(len(shard.clips))

    def read(self, clip: int, start: int, length: int) -> np.ndarray:
        """Frames `[start, start + length)` of a clip, by its place in the shard: uint8.

        Raises:
            UserError: naming the shard, if the clip is damaged.
        """
        if not self._checked[clip]:
            self.check(clip)
            self._checked[clip] = True
        entry = self._shard.clips[clip]
        return RawFrames(self._path, entry.offset, (entry.length, *self._frame)).read(start, length)

    def check(self, clip: int) -> None:
        """Raises a `UserError`, naming the shard, unless a clip is what was written."""
        import tensorflow as tf
        from google.protobuf.message import DecodeError

        entry = self._shard.clips[clip]
        try:
            start = self._record_starts()[clip]
            record = read_record(self._path, start)
            features = tf.train.Example.FromString(record).features.feature
            name = features["name"].bytes_list.value[0].decode()
            shape = tuple(features["shape"].int64_list.value)
            frames = features["frames"].bytes_list.value[0]
        except (DecodeError, IndexError, ValueError, OSError) as error:
            raise UserError(
                f"{self._path}: record {clip}, {entry.name}, is damaged: {error}; {AGAIN}"
            ) from error
        if name != entry.name or shape != (entry.length, *self._frame):
            raise UserError(
                f"{self._path}: holds {name} {shape} where info.json lists {entry.name}; {AGAIN}"
            )
        first = entry.offset - start - HEAD
        if first < 0 or memoryview(record)[first : first + len(frames)] != frames:
            raise UserError(
                f"{self._path}: the frames of {name} are not where info.json says; {AGAIN}"
            )

    def _record_starts(self) -> list[int]:
        """Where each record begins, in bytes. A `ValueError` if their lengths do not add up."""
        if self._starts is None:
            starts = record_starts(self._path)
            if len(starts) != len(self._shard.clips):
                raise ValueError("the number of its records is not as info.json says")
            self._starts = starts
        return self._starts


def check(folder: Path) -> tuple[int, int, list[str]]:
    """Verifies a prepared folder: every shard's size, SHA-256, checksums, clips and their frames.

    Returns:
        Numbers of clips and frames that `info.json` lists, and what is wrong, one line each.

    Raises:
        UserError: if `info.json` cannot be read.
    """
    info = read_info(folder)
    problems = []
    for shard in info.shards:
        problem = shard_problem(folder, shard)
        if problem is None and file_sha256(folder / shard.file) != shard.sha256:
            problem = f"{folder / shard.file}: its content has changed (SHA-256 differs)"
        if problem is None:
            problem = _content_problem(CheckedShard(folder, shard, info.options.frame_shape), shard)
        if problem is not None:
            problems.append(problem)
    clips = sum(len(shard.clips) for shard in info.shards)
    return clips, sum(shard.num_frames for shard in info.shards), problems


def _content_problem(checked: CheckedShard, shard: Shard) -> str | None:
    try:
        for clip in range(len(shard.clips)):
            checked.check(clip)
    except UserError as error:
        return str(error)
    return None
