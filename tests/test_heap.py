"""What a process keeps of memory that it has freed."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc")

PREPARED = """
import ctypes, json, os, sys, threading
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
"""

# Each of 8 threads that are there at once holds memory, in an arena of its own if there may be one.
ARENAS = """
if sys.argv[1:]:
    from hvp.heap import limit_arenas
    limit_arenas()
barrier = threading.Barrier(8)
def hold():
    libc.malloc(1000)
    barrier.wait()
threads = [threading.Thread(target=hold) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.fdopen.restype = ctypes.c_void_p
read, write = os.pipe()
stream = ctypes.c_void_p(libc.fdopen(write, b"w"))
libc.malloc_info(0, stream)
libc.fclose(stream)
print(json.dumps(os.read(read, 10**6).decode().count("<heap nr=")))
"""

# 60 MB in small pieces, and a piece that stays behind them.
FREED = """
from hvp.heap import give_back
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
pieces = [libc.malloc(60_000) for _ in range(1000)]
for piece in pieces: ctypes.memset(piece, 1, 60_000)
libc.malloc(60_000)
for piece in pieces: libc.free(piece)
before = resident()
give_back()
print(json.dumps(before - resident()))
"""


def said(program, *arguments, **environment):
    command = [sys.executable, "-c", PREPARED + program, *arguments]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(command, capture_output=True, text=True, env={**clean, **environment})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_as_many_arenas_as_cores():
    cores = os.cpu_count()
    assert said(ARENAS, "limited") <= max(cores, 1)
    if cores < 8:
        assert said(ARENAS) > cores


def test_a_users_number_of_arenas_stays():
    assert said(ARENAS, "limited", MALLOC_ARENA_MAX="5") == 5


def test_freed_memory_goes_back():
    assert said(FREED) > 40e6
