"""Files: the cache folder, SHA-256, and writing in place of what was there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hvp.errors import UserError, writing


def cache_folder(kind: str) -> Path:
    """The folder for one kind of files: below HVP_CACHE_DIR, else in the user's cache folder."""
    if os.environ.get("HVP_CACHE_DIR"):
        return Path(os.environ["HVP_CACHE_DIR"]) / kind
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "hvp" / kind


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


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path to write to, which takes the place of `path` once it is written whole.

    A full disk or a killed process then leaves the old content.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with writing(path):
            yield temporary
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
