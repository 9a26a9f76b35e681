"""Files: the cache folder, SHA-256, and writing in place of what was there."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hvp.errors import UserError, reading, writing


def cache_folder(kind: str) -> Path:
    """The folder for one kind of files: below HVP_CACHE_DIR, else in the user's cache folder."""
    import platformdirs

    own = os.environ.get("HVP_CACHE_DIR")
    return Path(own or platformdirs.user_cache_dir("hvp", appauthor=False)) / kind


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file of any size, in hexadecimal, or a `UserError` if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    return digest.hexdigest()


def require_regular(path: Path) -> None:
    """Raises a `UserError` unless `path` is a file: opening a pipe or device may take for ever."""
    with reading(path):
        mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise UserError(f"{path}: is no regular file")


@contextmanager
def replacing(path: Path, alone: bool = False) -> Iterator[Path]:
    """Yields a path to write to, which takes the place of `path` once it is written whole.

    A full disk or a killed process then leaves the old content.

    Args:
        path: of the file; its folder must be there.
        alone: whether no other process or thread writes `path` at the same time. What a killed
            process leaves then lies in the next one's way and goes, however large it is.

    Raises:
        UserError: if it cannot be written. Do nothing else in the `with` block.
    """
    name = f"{path.name}.partial" if alone else f".{path.name}.{uuid.uuid4().hex}.partial"
    temporary = path.with_name(name)
    try:
        with writing(path):
            yield temporary
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def require_writable(folder: Path) -> None:
    """Makes `folder` if need be and writes to it, so that work is not lost to a wrong place.

    Raises:
        UserError: if it cannot be made or written to.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"writable")
