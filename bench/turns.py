"""What benchmarks share that time several ways of doing the same in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


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
