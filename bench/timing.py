"""What the benchmarks share: medians after a warm-up, in units of a matrix product of the same run,
peak memory, one process a case.

Originals are in the same unit, measured by turns with hvp on one machine: see docs/benchmarks.md.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

SIZE = 2048  # of the square float32 matrices whose product is the unit of time


def seconds_of(run: Callable[[], Any], repeats: int, warm_up: int = 1) -> list[float]:
    """Wall-clock seconds of each `run()`, which must wait for its own result, rising."""
    for _ in range(warm_up):
        run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)


def median_seconds(run: Callable[[], Any], repeats: int, warm_up: int = 1) -> float:
    """Median wall-clock seconds of `run()`."""
    return statistics.median(seconds_of(run, repeats, warm_up))


def measure(run: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Times `run()` and, before and after it, the machine's matrix product.

    Returns:
        `seconds` (median), `least`, `most`, and `products`: the median in units of a product of
        2048x2048 float32 matrices, which compares across machines to perhaps 25 %.
    """
    before = product_seconds()
    times = seconds_of(run, repeats)
    product = (before + product_seconds()) / 2
    seconds = statistics.median(times)
    return {
        "seconds": seconds,
        "least": times[0],
        "most": times[-1],
        "products": seconds / product,
        "product": product,
    }


def shown(row: dict[str, float], original: float | None) -> str:
    """A row of `measure` beside what its original takes, in products."""
    text = f"{row['seconds']:8.3f} s ({row['least']:.3f}-{row['most']:.3f}) {row['products']:8.1f}"
    if original is None:
        return text + " " * 17
    return text + f" {original:9.1f} {original / row['products']:6.2f}x"


HEAD = f"{'median (least-most)':>26} {'products':>9} {'original':>9} {'ratio':>6}"


def peak_gib() -> float:
    """Peak resident memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def product_seconds() -> float:
    """Seconds of a large float32 matrix product, the unit of time of this machine in this hour."""
    import tensorflow as tf

    a = tf.random.stateless_normal((SIZE, SIZE), (0, 0))
    product = tf.function(lambda x: tf.reduce_sum(tf.matmul(x, x)))
    return median_seconds(lambda: float(product(a)), repeats=5)


def in_own_process(script: str, case: dict[str, Any]) -> dict[str, Any]:
    """Runs `python SCRIPT --case JSON` and returns the JSON of its last line.

    A process of its own, so that peak memory is that of the case.
    """
    result = subprocess.run(
        [sys.executable, script, "--case", json.dumps(case)],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(result.stdout.strip().splitlines()[-1])
