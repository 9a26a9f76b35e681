"""What users are told: the one kind of error that is shown without a traceback, and notes."""

from __future__ import annotations

import errno
import functools
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hvp.text import one_line

# How TensorFlow tells of a `UserError` that was raised in one of its threads, where data are read.
WITHIN_TENSORFLOW = re.compile(r"\bUserError: (.*?)\nTraceback", re.DOTALL)


class UserError(Exception):
    """A mistake that the user can mend.

    The message is one line: it names the file and the key, and says what to do. The commands print
    it and exit with code 2.
    """


@contextmanager
def writing(path: object) -> Iterator[None]:
    """Turns a failure to write below `path` (full disk, no permission) into a `UserError`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            reason = "the disk is full; free some space and run the same command again"
        else:
            reason = f"{error.strerror or error}; choose a folder that you can write to"
        raise UserError(f"cannot write to {path}: {reason}") from error


@contextmanager
def reading(path: object) -> Iterator[None]:
    """Turns a failure to read `path` (no permission, a broken disk) into a `UserError`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Raises `Terminated` where SIGTERM comes; a second one kills."""

    def terminate(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # not the main thread: the caller handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def command(main: Callable[..., int | None]) -> Callable[..., int]:
    """Decorates a command's `main`: a `UserError` becomes one line on stderr and exit code 2.

    Ctrl-C becomes exit code 130. So does SIGTERM 143: what the command has begun is cleared away.
    """

    @functools.wraps(main)
    def run(*args: object, **kwargs: object) -> int:
        try:
            with _terminable():
                return main(*args, **kwargs) or 0
        except UserError as error:
            print(f"error: {one_line(error)}", file=sys.stderr)
            return 2
        except Terminated:
            print("terminated", file=sys.stderr)
            return 128 + signal.SIGTERM
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 128 + signal.SIGINT
        except Exception as error:
            hidden = WITHIN_TENSORFLOW.search(str(error))
            if hidden is None or not type(error).__module__.startswith("tensorflow"):
                raise
            print(f"error: {one_line(hidden[1])}", file=sys.stderr)
            return 2

    return run


def to_stderr(line: str) -> None:
    """Shows a note for the user."""
    print(line, file=sys.stderr)
