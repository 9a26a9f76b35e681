"""The clips of a data set in folders and archives, as its authors publish it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hvp.data.archives import CANNOT_UNPACK, is_archive, unpack
from hvp.data.preparation import Clip
from hvp.data.sources import SOURCES
from hvp.data.sources.stored import some_of
from hvp.errors import UserError
from hvp.text import valid_text

if TYPE_CHECKING:
    pass


# Whose folders may hold archives that are not meant.
ANY_FOLDER = ("folder", "frame_folders")

DOWNLOADS, UNPACKED = "downloads", ".work/unpacked"

DEPTH = 2  # folders around the layout, such as the one that an archive holds everything in


def find_clips(
    dataset: str,
    sources: list[Path],
    out: Path,
    sequences: Mapping[str, list[tuple[int, int]]] | None = None,
) -> tuple[list[Clip], list[str]]:
    """The clips of a data set in folders and archives, each name once, and what is broken.

    Archives are unpacked within `out`.

    Raises:
        UserError: if there are none, or a source is missing.
    """
    module = importlib.import_module(SOURCES[dataset])
    archives, roots, problems = [], [], []
    for source in sources:
        if not source.exists():
            raise UserError(f"--source: there is no {source}")
        if source.is_dir():
            roots.append(source)
            archives += [] if dataset in ANY_FOLDER else _archives_below(source, out)
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
        for clip in _clips_in(module, root, sequences):
            clips.setdefault((clip.split, clip.name), clip)
    if not clips:
        where = ", ".join(map(str, sources))
        broken = f" ({some_of(problems)})" if problems else ""
        wanted = "video" if dataset in ANY_FOLDER else dataset
        raise UserError(f"--source: there is no {wanted} in {where}{broken}: {module.ADVICE}")
    return sorted(clips.values(), key=lambda clip: clip.name), problems


def _clips_in(module: ModuleType, root: Path, sequences: Any) -> list[Clip]:
    """The clips of a folder, or of the folders in it, at the first depth that has any."""
    folders = [root]
    for _ in range(DEPTH + 1):
        clips = [clip for folder in folders for clip in _clips_of(module, folder, sequences)]
        if clips:
            return clips
        folders = [
            path
            for folder in folders
            for path in sorted(folder.iterdir())
            if path.is_dir() and not path.name.startswith(".")
        ]
    return []


def _clips_of(module: ModuleType, folder: Path, sequences: Any) -> Iterable[Clip]:
    if sequences is not None:
        return module.find_clips(folder, sequences)
    if hasattr(module, "find_clips"):
        return module.find_clips(folder)
    return [
        Clip(valid_text(path.relative_to(folder)), split, path)
        for split, paths in module.find_videos(folder).items()
        for path in paths
    ]


def _archives_below(folder: Path, out: Path) -> list[Path]:
    found = []
    for where, folders, files in os.walk(folder, onerror=_cannot_read):
        folders[:] = sorted(name for name in folders if Path(where, name) != out)
        found += [Path(where, name) for name in sorted(files) if is_archive(Path(name))]
    return found


def _cannot_read(error: OSError) -> None:
    raise UserError(f"{error.filename}: cannot be read: {error.strerror}")
