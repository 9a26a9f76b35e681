"""The folder that `prepare` makes: TFRecord shards of uint8 clips, and `info.json` about them.

Each record is a `tf.train.Example` of one clip: `name` (bytes), `shape` (four integers: time,
height, width, channels) and `frames` (bytes, uint8 in C order), so that any TFRecordDataset reads
it. `info.json` also says at which byte each clip's frames begin: we read windows directly from
there, in any order.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from hvp.errors import UserError
from hvp.files import file_sha256, replacing

INFO = "info.json"
FORMAT = 1
MAX_CLIP_BYTES = 2**31 - 2**16  # a tf.train.Example cannot hold more


def is_prepared(folder: str | Path | None) -> bool:
    """Whether a folder is one that `prepare` has finished."""
    return folder is not None and os.path.isfile(os.path.join(folder, INFO))


def write_shard(path: Path, clips: Iterable[tuple[str, np.ndarray]]) -> dict[str, Any]:
    """Writes one TFRecord file.

    Args:
        path: the file, which appears only once it is complete.
        clips: name and uint8 frames `(time, height, width, channels)` of each.

    Returns:
        What `info.json` says of it: `file`, `bytes`, `sha256`, and `clips` with `name`, `length`
        and `offset`, the byte at which the frames begin.
    """
    import tensorflow as tf

    entries, position = [], 0
    with replacing(path, alone=True) as partial:
        try:
            with tf.io.TFRecordWriter(str(partial)) as writer:
                for name, frames in clips:
                    content = frames.tobytes()
                    record = _example(name, frames.shape, content).SerializeToString()
                    writer.write(record)
                    # A record: its length (8 bytes), a checksum of that (4), itself, a checksum.
                    offset = position + 12 + record.index(content)
                    entries.append({"name": name, "length": len(frames), "offset": offset})
                    position += 12 + len(record) + 4
        except tf.errors.OpError as error:
            raise UserError(f"cannot write to {path}: {error.message}") from error
        if partial.stat().st_size != position:
            raise OSError("it has not been written completely; is the disk full?")
        facts = {"file": path.name, "bytes": position, "sha256": file_sha256(partial)}
    return {**facts, "clips": entries}


def _example(name: str, shape: tuple[int, ...], content: bytes) -> Any:
    import tensorflow as tf

    def of_bytes(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    features = {
        "name": of_bytes(name.encode("utf-8", "backslashreplace")),
        "shape": tf.train.Feature(int64_list=tf.train.Int64List(value=shape)),
        "frames": of_bytes(content),
    }
    return tf.train.Example(features=tf.train.Features(feature=features))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file, which appears only once it is complete."""
    with replacing(path, alone=True) as partial:
        partial.write_text(json.dumps(content, indent=1), encoding="utf-8")


def read_info(folder: Path) -> dict[str, Any]:
    """The `info.json` of a prepared folder.

    Raises:
        UserError: if it is missing, damaged or of another version.
    """
    path = folder / INFO
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        found = info["format"]
        for shards in info["splits"].values():
            for shard in shards:
                _ = shard["file"], shard["bytes"], shard["sha256"]
                _ = [(c["name"], c["length"], c["offset"]) for c in shard["clips"]]
        _ = info["dataset"], [info["options"][key] for key in ("height", "width", "channels")]
    except FileNotFoundError:
        raise UserError(
            f"{folder} holds no {INFO}: it is not a prepared folder, or its preparation was not "
            "finished; run python -m hvp prepare again, it goes on"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: is damaged ({error!r}); prepare the data again") from error
    if found != FORMAT:
        raise UserError(f"{path}: is of format {found}, this version reads {FORMAT}")
    return info


def shard_problem(folder: Path, shard: dict[str, Any]) -> str | None:
    """What the size of a shard's file says of it; `None` where it is as it should be."""
    path = folder / shard["file"]
    try:
        size = path.stat().st_size
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror or error}"
    if size != shard["bytes"]:
        return f"{path}: has {size} bytes instead of {shard['bytes']}"
    return None


def check(folder: Path) -> tuple[int, int, list[str]]:
    """Verifies a prepared folder: every shard's size, SHA-256, checksums, clips and their frames.

    Returns:
        Numbers of clips and frames that `info.json` lists, and what is wrong, one line each.

    Raises:
        UserError: if `info.json` cannot be read.
    """
    info = read_info(folder)
    size = tuple(info["options"][key] for key in ("height", "width", "channels"))
    shards = [shard for split in info["splits"].values() for shard in split]
    problems = []
    for shard in shards:
        problem = shard_problem(folder, shard)
        if problem is None and file_sha256(folder / shard["file"]) != shard["sha256"]:
            problem = f"{folder / shard['file']}: its content has changed (SHA-256 differs)"
        if problem is None:
            problem = _content_problem(folder / shard["file"], shard["clips"], size)
        if problem is not None:
            problems.append(problem)
    clips = [clip for shard in shards for clip in shard["clips"]]
    return len(clips), sum(clip["length"] for clip in clips), problems


def _content_problem(path: Path, clips: list[dict[str, Any]], size: tuple[int, ...]) -> str | None:
    """Reads the records as TensorFlow does and compares them with what we would read directly."""
    import tensorflow as tf

    from hvp.data.raw_frames import RawFrames

    try:
        records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    except tf.errors.OpError as error:
        return f"{path}: is damaged: {error.message}"
    if len(records) != len(clips):
        return f"{path}: holds {len(records)} clips, {INFO} lists {len(clips)}"
    for record, clip in zip(records, clips, strict=True):
        features = tf.train.Example.FromString(record).features.feature
        name = features["name"].bytes_list.value[0].decode()
        shape = tuple(features["shape"].int64_list.value)
        if name != clip["name"] or shape != (clip["length"], *size):
            return f"{path}: holds {name} {shape} where {INFO} lists {clip['name']}"
        frames = RawFrames(path, clip["offset"], shape).read(0, shape[0])
        if frames.tobytes() != features["frames"].bytes_list.value[0]:
            return f"{path}: the frames of {name} are not where {INFO} says"
    return None
