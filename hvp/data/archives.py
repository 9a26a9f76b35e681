"""Unpacks archives without trusting them: nothing outside the folder, no links, no bombs."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import stat
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, NamedTuple, cast

from tqdm import tqdm

from hvp.data.video_io import ARRAY_SUFFIXES, FRAME_SUFFIXES, VIDEO_SUFFIXES
from hvp.errors import UserError, reading, writing
from hvp.files import require_regular

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz")
CANNOT_UNPACK = (".rar", ".7z")
WANTED_SUFFIXES = (*VIDEO_SUFFIXES, *ARRAY_SUFFIXES, *FRAME_SUFFIXES, ".txt", ".tfrecords")
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # encrypted members
    NotImplementedError,  # unknown compression
    ValueError,
    OverflowError,
)
COMPLETE = ".complete"
BLOCK = 2**20


class Limits(NamedTuple):
    """What an archive may unpack to; more is refused before anything is written.

    Videos hardly shrink when they are packed; only bombs come near the ratio.
    """

    members: int = 10_000_000
    ratio: float = 300.0
    spare: int = 2**30  # bytes that any archive may have, whatever the ratio


class Member(NamedTuple):
    name: str
    size: int
    regular: bool
    handle: zipfile.ZipInfo | tarfile.TarInfo


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


def unpack(archive: Path, folder: Path, limits: Limits = Limits()) -> list[str]:  # noqa: B008
    """Unpacks the videos, arrays, pictures and lists of a zip or tar file into `folder`.

    Unpacked completely before, nothing is done again.

    Returns:
        What was left out, one line each: members that are damaged, lead outside of the folder, or
        are no plain files.

    Raises:
        UserError: if the archive cannot be read at all, exceeds the limits, or does not fit on the
            disk.
    """
    done = folder / COMPLETE
    require_regular(archive)
    with reading(archive):
        facts = archive.stat()
        key = [str(archive.resolve()), facts.st_size, facts.st_mtime_ns]
    before = _note(done)
    if before is not None and before["archive"] == key:
        return before["problems"]
    with writing(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    problems: list[str] = []
    try:
        opened = zipfile.ZipFile(archive) if _is_zip(archive) else tarfile.open(archive)  # noqa: SIM115
    except DAMAGE as error:
        raise UserError(f"{archive}: cannot be read as an archive: {_line(error)}") from error
    with opened:
        try:
            members = list(_members(opened, limits))
        except DAMAGE as error:
            raise UserError(f"{archive}: is a damaged archive: {_line(error)}") from error
        _check_limits(archive, members, folder, limits)
        quiet = not sys.stderr.isatty()
        for member in tqdm(members, f"unpacking {archive.name}", unit="file", disable=quiet):
            try:
                target = _target(folder, member)
                if target is not None:
                    _write(opened, member, target)
            except (*DAMAGE, _Refused) as error:
                problems.append(f"{archive}:{member.name}: {_line(error)}")
    with writing(folder):
        done.write_text(json.dumps({"archive": key, "problems": problems}), encoding="utf-8")
    return problems


def _note(done: Path) -> dict[str, Any] | None:
    """What was noted when the archive had been unpacked completely."""
    try:
        note = json.loads(done.read_text(encoding="utf-8"))
        return {"archive": note["archive"], "problems": [str(line) for line in note["problems"]]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


class _Refused(Exception):
    """Why a member is left out."""


def _is_zip(archive: Path) -> bool:
    return archive.suffix.lower() == ".zip"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _members(opened: zipfile.ZipFile | tarfile.TarFile, limits: Limits) -> Iterator[Member]:
    if isinstance(opened, zipfile.ZipFile):
        for item in opened.infolist():
            # Python's own `is_dir` fails where a member has no name.
            if not item.filename.endswith("/"):
                mode = item.external_attr >> 16
                regular = not stat.S_IFMT(mode) or stat.S_ISREG(mode)
                yield Member(item.filename, item.file_size, regular, item)
        return
    for number, entry in enumerate(opened):
        if number > limits.members:
            break  # counted as too many
        if not entry.isdir():
            yield Member(entry.name, entry.size, entry.isreg(), entry)


def _check_limits(archive: Path, members: list[Member], folder: Path, limits: Limits) -> None:
    total = sum(member.size for member in members)
    if len(members) > limits.members:
        raise UserError(f"{archive}: holds more than {limits.members} files, which no data set has")
    if total > limits.spare + limits.ratio * archive.stat().st_size:
        raise UserError(
            f"{archive}: would unpack to {total / 2**30:.1f} GiB, more than {limits.ratio:g} times "
            "its size: it looks like a bomb. If it is sound, unpack it yourself and name the folder"
        )
    free = shutil.disk_usage(folder).free
    if total > free:
        raise UserError(
            f"{archive}: unpacks to {total / 2**30:.1f} GiB, but {folder} has "
            f"{free / 2**30:.1f} GiB left"
        )


def _target(folder: Path, member: Member) -> Path | None:
    """Where a member goes; `None` for what nobody needs."""
    path = PurePosixPath(member.name.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or ":" in member.name or "\0" in member.name
    if not path.parts:
        raise _Refused("has no name")
    if outside:
        raise _Refused("leads outside of the archive's folder")
    if path.suffix.lower() not in WANTED_SUFFIXES or "__MACOSX" in path.parts:
        return None
    if not member.regular:
        raise _Refused("is no plain file")
    target = folder.joinpath(*path.parts)
    if folder.resolve() not in target.resolve().parents:
        raise _Refused("leads outside of the archive's folder")
    return target


def _write(opened: zipfile.ZipFile | tarfile.TarFile, member: Member, target: Path) -> None:
    source = _open_member(opened, member)
    try:
        with source, _new_file(target) as file:
            left = member.size
            while block := source.read(BLOCK):
                left -= len(block)
                if left < 0:
                    raise _Refused("is larger than it declares")
                with writing(target):
                    file.write(block)
            if left:
                raise _Refused("ends too early")
        # Unpacked again it must not look like another file.
        changed = _time_of(member.handle)
        os.utime(target, (changed, changed))
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _open_member(opened: zipfile.ZipFile | tarfile.TarFile, member: Member) -> IO[bytes]:
    if isinstance(opened, zipfile.ZipFile):
        return opened.open(cast(zipfile.ZipInfo, member.handle))
    # Of plain files, which alone come here, it is never `None`.
    return cast(IO[bytes], opened.extractfile(cast(tarfile.TarInfo, member.handle)))


def _time_of(handle: zipfile.ZipInfo | tarfile.TarInfo) -> float:
    if isinstance(handle, tarfile.TarInfo):
        return handle.mtime
    return datetime.datetime(*handle.date_time).timestamp()


def _new_file(target: Path) -> BinaryIO:
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.open("xb")  # never over another member, nor through a link
