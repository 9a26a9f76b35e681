"""Decodes a data set once, in parallel, into TFRecord shards of uint8 clips.

The clips of a split are dealt out to shards in order. A shard is made by one worker and appears
when it is complete, with a note of what it was made from; so a run that was interrupted, or whose
files have changed since, makes only the shards that are missing, damaged or different.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from hvp.config import DataConfig
from hvp.data.data_set import Clip
from hvp.data.frame_cache import file_facts
from hvp.data.prepared_folder import (
    FORMAT,
    INFO,
    MAX_CLIP_BYTES,
    is_prepared,
    read_info,
    write_json,
    write_shard,
)
from hvp.data.stored_videos import some_of
from hvp.data.video_io import read_video
from hvp.errors import UserError, writing
from hvp.files import file_sha256

WORK = ".work"  # in the output folder: notes on finished shards, unpacked archives, lock
LOCK = "lock"
OPTIONS = "options.json"
# A shard is what an interruption loses, per worker; a file for each clip would be too many.
SHARDS_AT_LEAST, CLIPS_AT_MOST = 16, 64


@dataclasses.dataclass(frozen=True)
class Options:
    """What the clips look like. See `read_video` for `crop`, `every`, `fps` and `max_frames`.

    Attributes:
        sequences: SHA-256 of KTH's list of ranges, where it was used.
    """

    height: int
    width: int
    channels: int
    crop: str = "none"
    every: int = 1
    fps: float | None = None
    max_frames: int | None = None
    sequences: str | None = None

    def read(self, clip: Clip) -> np.ndarray:
        """A clip's frames, uint8 `(time, height, width, channels)`."""
        if clip.read is None:
            return read_video(
                clip.path,
                self.height,
                self.width,
                self.channels,
                self.max_frames,
                crop=self.crop,
                every=self.every,
                fps=self.fps,
            )
        if self.fps is not None:
            raise UserError(f"{clip.path}: stores no frame rate; use --every instead of --fps")
        config = DataConfig(
            height=self.height, width=self.width, channels=self.channels, crop=self.crop
        )
        return clip.read(clip.path, config)[:: self.every][: self.max_frames]


class Outcome(NamedTuple):
    """What a preparation did."""

    made: int  # clips
    kept: int
    problems: list[str]


class _Shard(NamedTuple):
    split: str
    file: str
    clips: list[Clip]
    made_from: str


def prepare(
    dataset: str, clips: list[Clip], out: Path, options: Options, sources: list[str], workers: int
) -> Outcome:
    """Makes `out/*.tfrecord` and `out/info.json` of clips.

    Broken clips are left out and named; run again after they are mended, only their shards are made
    anew.

    Raises:
        UserError: if `out` was made with other options, cannot be written, or no clip is usable.
    """
    _keep_options(dataset, out, options)
    shards = _dealt_out(clips, options)
    before = _made_before(out)
    kept = [
        before[shard.file]
        for shard in shards
        if shard.file in before
        and before[shard.file]["made_from"] == shard.made_from
        and not before[shard.file]["problems"]
        and _is_there(out, before[shard.file])
    ]
    names = {note["file"] for note in kept}
    todo = [shard for shard in shards if shard.file not in names]
    made = _make_all(todo, out, options, workers)
    notes = sorted([*kept, *made], key=lambda note: note["file"])
    _finish(dataset, out, options, sources, notes)
    problems = [problem for note in notes for problem in note["problems"]]
    return Outcome(_count(made), _count(kept), problems)


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Makes the folder `out`; refuses to work where another process does.

    Raises:
        UserError: then, or if `out` cannot be written.
    """
    with writing(out):
        (out / WORK).mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with writing(out):
        lock = (out / WORK / LOCK).open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(f"--out: another process is preparing {out}") from error
        try:
            yield
        finally:
            work = out / WORK
            if work.is_dir() and [path.name for path in work.iterdir()] == [LOCK]:
                shutil.rmtree(work)


def start_afresh(out: Path) -> None:
    """Removes what an earlier run made, and nothing else."""
    with writing(out):
        for path in [out / INFO, *_shards_in(out)]:
            path.unlink(missing_ok=True)
        for path in (out / WORK).iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()


def _shards_in(out: Path) -> list[Path]:
    """All shards, finished or not, of this or earlier runs; no other TFRecords."""
    name = re.compile(r"(train|val|test)-\d{5,}-of-\d{5,}\.tfrecord(\.partial)?")
    return [path for path in out.iterdir() if name.fullmatch(path.name)]


def _count(notes: list[dict[str, Any]]) -> int:
    return sum(len(note["clips"]) for note in notes)


def _keep_options(dataset: str, out: Path, options: Options) -> None:
    """Notes in `out` what its clips look like; they must not be a mixture."""
    wanted = {"dataset": dataset, "options": dataclasses.asdict(options)}
    path = out / WORK / OPTIONS
    before = None
    if is_prepared(out):
        info = read_info(out)
        before = {"dataset": info["dataset"], "options": info["options"]}
    elif path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: is damaged; choose another --out or delete {out}") from error
    if before is not None and before != wanted:
        raise UserError(
            f"--out: {out} was made of another data set or with other options, such as --size; "
            "choose another --out, delete that one, or start it afresh with --overwrite"
        )
    write_json(path, wanted)


def _dealt_out(clips: list[Clip], options: Options) -> list[_Shard]:
    shards = []
    for split in sorted({clip.split for clip in clips}):
        chosen = [clip for clip in clips if clip.split == split]
        size = min(max(1, -(-len(chosen) // SHARDS_AT_LEAST)), CLIPS_AT_MOST)
        count = -(-len(chosen) // size)
        for number in range(count):
            part = chosen[number * size : (number + 1) * size]
            file = f"{split}-{number:05}-of-{count:05}.tfrecord"
            shards.append(_Shard(split, file, part, _made_from(part, options)))
    return shards


def _made_from(clips: list[Clip], options: Options) -> str:
    """Changes whenever a shard's files or options do."""
    facts: list[Any] = [FORMAT, dataclasses.asdict(options)]
    for clip in clips:
        try:
            files = file_facts(clip.path)
        except OSError:
            files = None  # reading it says what is wrong
        facts.append((clip.name, clip.parts, files))
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _made_before(out: Path) -> dict[str, dict[str, Any]]:
    """Notes on the shards that earlier runs finished, by file."""
    notes = {}
    if is_prepared(out):
        for shards in read_info(out)["splits"].values():
            notes.update((shard["file"], shard) for shard in shards)
    for path in (out / WORK).glob("*.tfrecord.json"):
        try:
            note = json.loads(path.read_text(encoding="utf-8"))
            notes[note["file"]] = note
        except (OSError, ValueError, KeyError):
            continue  # it is made again
    return {name: note for name, note in notes.items() if {"made_from", "problems"} <= set(note)}


def _is_there(out: Path, note: dict[str, Any]) -> bool:
    path = out / note["file"]
    if not note["clips"]:
        return True
    whole = path.is_file() and path.stat().st_size == note["bytes"]
    return whole and file_sha256(path) == note["sha256"]


def _make_all(
    shards: list[_Shard], out: Path, options: Options, workers: int
) -> list[dict[str, Any]]:
    from hvp.quiet import import_tensorflow

    import_tensorflow()  # before there are threads, as it redirects what is printed
    stop = threading.Event()
    total = sum(len(shard.clips) for shard in shards)
    progress = tqdm(total=total, desc="preparing", unit="clip", disable=not shards)
    with progress, ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(_make, shard, out, options, stop, progress) for shard in shards]
        try:
            return [future.result() for future in as_completed(running)]
        except BaseException:
            # Ctrl-C, or a full disk: no worker begins another clip.
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


class _Stopped(Exception):
    """Another worker has failed, or the user has interrupted."""


def _make(
    shard: _Shard, out: Path, options: Options, stop: threading.Event, progress: tqdm
) -> dict[str, Any]:
    problems: list[str] = []

    def usable() -> Iterator[tuple[str, np.ndarray]]:
        for clip in shard.clips:
            if stop.is_set():
                raise _Stopped
            try:
                yield from _parts(clip, options.read(clip))
            except UserError as error:
                problems.append(str(error))
            finally:
                progress.update()

    note = write_shard(out / shard.file, usable())
    if not note["clips"]:
        (out / shard.file).unlink()
    note = {**note, "split": shard.split, "made_from": shard.made_from, "problems": problems}
    write_json(out / WORK / f"{shard.file}.json", note)
    return note


def _parts(clip: Clip, frames: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """A clip, or its parts, by name."""
    if frames.nbytes > MAX_CLIP_BYTES:
        raise UserError(
            f"{clip.path}: has {frames.nbytes / 2**30:.1f} GiB of frames at this size, more than a "
            "record holds: use --max-frames, --every or a smaller --size"
        )
    if clip.parts is None:
        yield clip.name, frames
        return
    for number, (first, end) in enumerate(clip.parts, start=1):
        name = f"{clip.name}_{number}"
        if first >= len(frames):
            raise UserError(
                f"{clip.path}: has {len(frames)} frames, --sequences lists {first + 1}-{end}"
            )
        if end > len(frames):
            tqdm.write(
                f"note: {name} ends at frame {len(frames)}, the clip's last, instead of {end} as "
                "--sequences lists",
                file=sys.stderr,
            )
        yield name, frames[first:end]


def _finish(
    dataset: str, out: Path, options: Options, sources: list[str], notes: list[dict[str, Any]]
) -> None:
    """Writes `info.json` and removes what is no longer needed."""
    import hvp

    problems = [problem for note in notes for problem in note["problems"]]
    full = [note for note in notes if note["clips"]]
    if not full:
        raise UserError(f"no clip could be used, so there is nothing in {out}: {some_of(problems)}")
    splits: dict[str, list[dict[str, Any]]] = {}
    for note in full:
        splits.setdefault(note["split"], []).append(note)
    counts = {
        split: {
            "clips": _count(shards),
            "frames": sum(clip["length"] for shard in shards for clip in shard["clips"]),
        }
        for split, shards in splits.items()
    }
    info = {
        "format": FORMAT,
        "dataset": dataset,
        "made_by": f"hvp {hvp.__version__}",
        "sources": sources,
        "options": dataclasses.asdict(options),
        "counts": counts,
        "problems": problems,
        "splits": splits,
    }
    write_json(out / INFO, info)
    with writing(out):
        wanted = {note["file"] for note in full}
        for path in _shards_in(out):
            if path.name not in wanted:  # of an earlier run, with other clips or killed
                path.unlink()
        if not problems:
            shutil.rmtree(out / WORK)
