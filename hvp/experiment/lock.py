"""One process at a time in a folder, and folders that appear when they are complete.

The kernel releases a lock when its process ends, killed or not.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from hvp.errors import UserError, writing
from hvp.text import one_line

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".lock"
UNFINISHED = ".unfinished-"  # how the folders of work in progress begin


@contextmanager
def only_process(folder: Path, work: str) -> Iterator[None]:
    """Holds the lock of `folder`, which must be there.

    Args:
        work: what this process does there, for the other one's message: `trains`.

    Raises:
        UserError: if another process holds it, naming the process and its host.
    """
    path = folder / LOCK_FILE
    with writing(folder):
        if path.is_symlink() or path.is_fifo():  # what it leads to is not ours to write to
            path.unlink()
        file = path.open("a+", encoding="utf-8", errors="replace")
    with file:
        if _locked(file) is False:
            file.seek(0)
            holder = one_line(file.read(200)) or "another process"
            raise UserError(
                f"{folder}: {holder} there; wait for it, end it, or choose --set name=NEW"
            )
        with writing(folder):
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()} {work}")
            file.flush()
        yield


def _locked(file: IO[str] | int) -> bool | None:
    """Locks an open file or folder; False if another process holds it, None if nobody can say."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


@dataclasses.dataclass
class WholeFolder:
    """A folder that appears when it is complete.

    Attributes:
        path: where it is now: write there while it is not complete, and find it there afterwards.
    """

    path: Path


@contextmanager
def whole_folder(parent: Path, name: str) -> Iterator[WholeFolder]:
    """Makes a folder that becomes `parent/NAME` once it is complete; an error leaves nothing.

    Where NAME is there already, it becomes `NAME-1`, and so on.

    Raises:
        UserError: if it cannot be made.
    """
    folder = WholeFolder(parent / f"{UNFINISHED}{name}-{uuid.uuid4().hex[:8]}")
    with writing(parent):
        folder.path.mkdir(parents=True)
    unfinished = folder.path
    lock = os.open(unfinished, os.O_RDONLY) if fcntl else None
    try:
        if lock is not None:
            _locked(lock)
        yield folder
        with writing(parent):
            folder.path = _renamed(unfinished, parent / name)
    finally:
        if lock is not None:
            os.close(lock)
        shutil.rmtree(unfinished, ignore_errors=True)


def _renamed(folder: Path, target: Path) -> Path:
    for number in itertools.count():
        path = target if number == 0 else target.with_name(f"{target.name}-{number}")
        if not path.exists():  # only an empty folder could be lost to a race
            return folder.rename(path)
    raise AssertionError("unreachable")


def clear_unfinished(parent: Path) -> None:
    """Removes what killed processes left of `whole_folder`, and nothing that is still worked on."""
    if fcntl is None:
        return
    for name in os.listdir(parent):
        if not name.startswith(UNFINISHED):
            continue
        with suppress(OSError):
            held = os.open(parent / name, os.O_RDONLY)
            try:
                if _locked(held):
                    shutil.rmtree(parent / name, ignore_errors=True)
            finally:
                os.close(held)
