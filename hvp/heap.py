"""What the C library keeps of memory that was freed: less of it, where that is glibc.

TensorFlow frees a lot while it optimises and compiles a graph, in several threads. Of that glibc
keeps what lies between other memory, and per thread in one of up to eight arenas a core, of which
the others take nothing: 0.17 GiB after the first update of DFDNet. On other systems these functions
do nothing.
"""

from __future__ import annotations

import ctypes
import os

M_ARENA_MAX = -8  # of glibc's malloc.h
SET_BY_USER = ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")


def limit_arenas() -> None:
    """As many arenas as cores, for a process of our own before it has threads.

    Who has set their number, or anything else of glibc's, for the process keeps that.
    """
    if not any(name in os.environ for name in SET_BY_USER):
        _call("mallopt", M_ARENA_MAX, os.cpu_count() or 1)


def give_back() -> None:
    """Gives what was freed back to the system, wherever it lies."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    try:
        function = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):  # macOS, musl; Windows
        return
    function(*arguments)
