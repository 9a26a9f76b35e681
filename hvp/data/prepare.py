"""Decodes a data set once, in parallel, into TFRecord shards of uint8 clips.

The clips of a split are dealt out to shards in order. A shard is made by one worker and appears
when it is complete, with a note of what it was made from; so a run that was interrupted, or whose
files have changed since, makes only the shards that are missing, damaged or different.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from tqdm import tqdm

from hvp.config import DataConfig
from hvp.data.data_set import Clip
from hvp.data.frame_cache import file_facts, files_of
from hvp.data.prepare_state import finish, keep_options, note_shard, shards_made
from hvp.data.prepared_folder import FORMAT, MAX_CLIPS, Options, Shard, SplitName
from hvp.data.records import MAX_CLIP_BYTES, write_shard
from hvp.data.video_io import read_video
from hvp.errors import UserError
from hvp.text import one_line

# A shard is what an interruption loses, per worker; a file for each clip would be too many.
SHARDS_AT_LEAST, CLIPS_AT_MOST = 16, 64


class Outcome(NamedTuple):
    """What a preparation did."""

    made: int  # clips
    kept: int
    problems: list[str]


class _Plan(NamedTuple):
    """A shard that is to be there."""

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
    if len(clips) > MAX_CLIPS:
        raise UserError(
            f"--source: holds {len(clips)} clips; a prepared folder keeps {MAX_CLIPS}, so prepare "
            "parts of it into several"
        )
    keep_options(dataset, out, options)
    planned = _dealt_out(clips, options)
    before = shards_made(out)
    kept = [
        before[plan.file]
        for plan in planned
        if plan.file in before
        and before[plan.file].made_from == plan.made_from
        and not before[plan.file].problems
    ]
    there = {shard.file for shard in kept}
    made = _make_all([plan for plan in planned if plan.file not in there], out, options, workers)
    shards = sorted([*kept, *made], key=lambda shard: shard.file)
    finish(dataset, out, options, sources, shards)
    problems = [str(problem) for shard in shards for problem in shard.problems]
    return Outcome(_count(made), _count(kept), problems)


def _count(shards: list[Shard]) -> int:
    return sum(len(shard.clips) for shard in shards)


def read_clip(clip: Clip, options: Options) -> np.ndarray:
    """A clip's frames as `options` wants them, uint8 `(time, height, width, channels)`."""
    if clip.read is None:
        try:
            return _decoded(clip.path, options, strict=True)
        except UserError as error:
            if not options.salvage:
                raise
            frames = _decoded(clip.path, options, strict=False)
            tqdm.write(f"used in part: {one_line(error)}", file=sys.stderr)
            return frames
    if options.fps is not None:
        raise UserError(f"{clip.path}: stores no frame rate; use --every instead of --fps")
    config = DataConfig(
        height=options.height, width=options.width, channels=options.channels, crop=options.crop
    )
    return clip.read(clip.path, config)[:: options.every][: options.max_frames]


def _decoded(path: Path, options: Options, strict: bool) -> np.ndarray:
    return read_video(
        path,
        options.height,
        options.width,
        options.channels,
        options.max_frames,
        crop=options.crop,
        every=options.every,
        fps=options.fps,
        strict=strict,
        sixteen_bit=options.sixteen_bit,
    )


def _dealt_out(clips: list[Clip], options: Options) -> list[_Plan]:
    plans = []
    for split in sorted({clip.split for clip in clips}):
        chosen = [clip for clip in clips if clip.split == split]
        size = min(max(1, -(-len(chosen) // SHARDS_AT_LEAST)), CLIPS_AT_MOST)
        count = -(-len(chosen) // size)
        for number in range(count):
            part = chosen[number * size : (number + 1) * size]
            file = f"{split}-{number:05}-of-{count:05}.tfrecord"
            plans.append(_Plan(split, file, part, _made_from(part, options)))
    return plans


def _made_from(clips: list[Clip], options: Options) -> str:
    """Changes whenever a shard's files or options do."""
    facts: list[Any] = [FORMAT, options.to_dict()]
    for clip in clips:
        try:
            files = file_facts((clip.files or files_of)(clip.path))
        except (OSError, UserError):
            files = None  # reading it says what is wrong
        facts.append((clip.name, clip.parts, files))
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _make_all(plans: list[_Plan], out: Path, options: Options, workers: int) -> list[Shard]:
    from hvp.quiet import import_tensorflow

    import_tensorflow()  # before there are threads, as it redirects what is printed
    stop = threading.Event()
    total = sum(len(plan.clips) for plan in plans)
    progress = tqdm(total=total, desc="preparing", unit="clip", disable=not plans)
    with progress, ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(_make, plan, out, options, stop, progress) for plan in plans]
        try:
            return [future.result() for future in as_completed(running)]
        except BaseException:
            # Ctrl-C, or a full disk: no worker begins another clip.
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


class _Stopped(Exception):
    """Another worker has failed, or the user has interrupted."""


def _make(plan: _Plan, out: Path, options: Options, stop: threading.Event, progress: tqdm) -> Shard:
    problems: list[str] = []

    def usable() -> Iterator[tuple[str, np.ndarray]]:
        for clip in plan.clips:
            if stop.is_set():
                raise _Stopped
            try:
                yield from _parts(clip, read_clip(clip, options))
            except UserError as error:
                problems.append(str(error))
            finally:
                progress.update()

    written = write_shard(out / plan.file, usable())
    if not written.clips:
        (out / plan.file).unlink()
    shard = dataclasses.replace(
        written, split=cast(SplitName, plan.split), made_from=plan.made_from, problems=problems
    )
    note_shard(out, shard)
    return shard


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
