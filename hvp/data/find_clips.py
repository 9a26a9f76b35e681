"""The clips of a data set in folders and archives, as its authors publish it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hvp.config import DataConfig
from hvp.data.archives import CANNOT_UNPACK, is_archive, unpack
from hvp.data.data_set import Clip, DataSet, Listing
from hvp.data.generated_videos import GeneratedVideos
from hvp.data.unusable import some_of
from hvp.errors import UserError

DOWNLOADS, UNPACKED = "downloads", ".work/unpacked"

DEPTH = 2  # folders around the layout, such as the one that an archive holds everything in


def find_clips(
    data_set: DataSet, sources: list[Path], out: Path, listing: Listing | None = None
) -> tuple[list[Clip], list[str]]:
    """The clips of a data set in folders and archives, each name once, and what is broken.

    Archives are unpacked within `out`.

    Raises:
        UserError: if there are none, or a source is missing.
    """
    archives, roots, problems = [], [], []
    for source in sources:
        if not source.exists():
            raise UserError(f"--source: there is no {source}")
        if source.is_dir():
            roots.append(source)
            archives += _archives_below(source, out) if data_set.archives else []
        elif source.name.lower().endswith(CANNOT_UNPACK):
            raise UserError(f"--source: unpack {source} yourself and name the folder")
        elif is_archive(source):
            archives.append(source)
        else:
            raise UserError(f"--source: {source} is neither a folder nor a .zip or .tar file")
    for number, archive in enumerate(archives):
        try:
            problems += unpack(archive, out / UNPACKED / f"{number}-{archive.name}")
        except UserError as error:
            if str(error).startswith("cannot write"):
                raise
            problems.append(str(error))
    if archives:
        roots.append(out / UNPACKED)
    clips: dict[tuple[str, str], Clip] = {}
    for root in roots:
        for clip in _clips_in(data_set, root, listing):
            clips.setdefault((clip.split, clip.name), clip)
    unknown = sorted({split for split, _ in clips} - {"train", "val", "test"})
    if unknown:
        raise UserError(f"{data_set.name}: has a split {unknown[0]!r}; there are train, val, test")
    if not clips:
        where = ", ".join(map(str, sources))
        broken = f" ({some_of(problems)})" if problems else ""
        wanted = data_set.name if data_set.archives else "video"
        raise UserError(f"--source: there is no {wanted} in {where}{broken}: {data_set.advice}")
    return sorted(clips.values(), key=lambda clip: clip.name), problems


def _clips_in(data_set: DataSet, root: Path, listing: Listing | None) -> list[Clip]:
    """The clips of a folder, or of the folders in it, at the first depth that has any."""
    folders = [root]
    for _ in range(DEPTH + 1):
        clips = [clip for folder in folders for clip in data_set.find_clips(folder, listing)]
        if clips:
            return clips
        folders = [
            path
            for folder in folders
            for path in sorted(folder.iterdir())
            if path.is_dir() and not path.name.startswith(".")
        ]
    return []


def generated_clips(data_set: DataSet, num_videos: int, num_frames: int) -> list[Clip]:
    """What `prepare` stores: training videos of seed 0, and a tenth as many of the test videos."""

    @functools.cache  # one source a split: each names all videos of its split
    def source(config: DataConfig, split: str) -> GeneratedVideos:
        return data_set.generate(config, split, num_frames, 0)

    def reader(split: str, number: int) -> Callable[[Path, DataConfig], np.ndarray]:
        return lambda _, config: source(config, split).read(number, 0, num_frames)

    return [
        Clip(f"generated-{split}-{number}", split, Path("generated"), read=reader(split, number))
        for split, count in (("train", num_videos), ("test", max(1, num_videos // 10)))
        for number in range(count)
    ]


def _archives_below(folder: Path, out: Path) -> list[Path]:
    found = []
    for where, folders, files in os.walk(folder, onerror=_cannot_read):
        folders[:] = sorted(name for name in folders if Path(where, name) != out)
        found += [Path(where, name) for name in sorted(files) if is_archive(Path(name))]
    return found


def _cannot_read(error: OSError) -> None:
    raise UserError(f"{error.filename}: cannot be read: {error.strerror}")
