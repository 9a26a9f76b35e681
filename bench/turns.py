"""What benchmarks share that time several ways of doing the same in turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

RUNS = 4  # in a process' turn, after one that is not counted


def print_in_turns(ways: Mapping[str, Callable[[], object]], count: int, repeats: int) -> None:
    """Prints a line for each way: median, least and most milliseconds of one of `count` things.

    Args:
        ways: by name; each does `count` things and waits for them. A first time is not counted.
        repeats: turns.
    """
    for run in ways.values():
        run()  # compiled here
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, run in ways.items():
            start = time.perf_counter()
            run()
            times[way].append(1000 * (time.perf_counter() - start) / count)
    for way, found in times.items():
        median = statistics.median(found)
        print(f"{way:22}{median:9.3f} ms ({min(found):.3f}-{max(found):.3f})", flush=True)


def start(command: Sequence[str], folder: str, **environment: str) -> subprocess.Popen:
    """A process that waits for its turns, from `wait_for_turns`."""
    return subprocess.Popen(
        [*command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
        cwd=folder,
    )


def wait_for_turns(
    runs: Mapping[str, Callable[[], object]],
    peak_gib: Callable[[], float | None],
    product_seconds: Callable[[], float] | None = None,
    after_each_first: Callable[[], object] = lambda: None,
) -> None:
    """What such a process does: for each name on its input, the mean seconds of `RUNS` of it.

    Args:
        runs: by name; all are run twice before the first turn.
        peak_gib: memory so far.
        product_seconds: the unit of `hvp.timing.clock`, in one of the processes.
        after_each_first: called when something has run for the first time.
    """
    started = time.perf_counter()
    for run in runs.values():
        run()
        after_each_first()
    first = time.perf_counter() - started
    for run in runs.values():
        run()
    # Without the matrices of the unit of time.
    ready = {"names": list(runs), "first": first, "gib": peak_gib()}
    print(json.dumps(ready), flush=True)
    for line in sys.stdin:
        row: dict[str, Any] = {"product": product_seconds() if product_seconds else None}
        runs[line.strip()]()  # caches hold what is the other process'
        started = time.perf_counter()
        for _ in range(RUNS):
            runs[line.strip()]()
        row["seconds"] = (time.perf_counter() - started) / RUNS
        print(json.dumps(row), flush=True)


def print_processes_in_turns(
    case: str, processes: Mapping[str, subprocess.Popen], repeats: int, only: str | None = None
) -> None:
    """A line for each of two processes and each thing they time; how much faster the second is."""
    ready = [json.loads(process.stdout.readline() or "{}") for process in processes.values()]
    for label, found in zip(processes, ready, strict=True):
        if not found:
            sys.exit(f"{case}: the process of {label} ended before its first turn")
    for name in [only] if only else ready[0]["names"]:
        rows: list[list[dict[str, Any]]] = [[] for _ in processes]
        for _ in range(repeats):
            for process, found in zip(processes.values(), rows, strict=True):
                print(name, file=process.stdin, flush=True)
                found.append(json.loads(process.stdout.readline()))
        pairs = [[row["seconds"] for row in turn] for turn in zip(*rows, strict=True)]
        units = [turn[-1]["product"] for turn in zip(*rows, strict=True)]
        ratios = sorted(before / after for before, after in pairs)
        for i, (label, found, first) in enumerate(zip(processes, rows, ready, strict=True)):
            seconds = sorted(row["seconds"] for row in found)
            products = statistics.median(
                row["seconds"] / (row["product"] or unit)
                for row, unit in zip(found, units, strict=True)
            )
            line = f"{case:16} {name:10} {label:8} {statistics.median(seconds):6.3f} s "
            line += f"({seconds[0]:.3f}-{seconds[-1]:.3f}) {products:6.1f} products "
            line += f"{first['gib']:5.2f} GiB, first {first['first']:4.1f} s"
            if i:
                line += f", {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
            print(line, flush=True)
    for process in processes.values():
        process.stdin.close()
        process.wait()
