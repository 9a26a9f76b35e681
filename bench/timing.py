"""What the benchmarks share: medians after a warm-up, peak memory, one process a case."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any


def median_seconds(run: Callable[[], Any], repeats: int, warm_up: int = 1) -> float:
    """Median wall-clock seconds of `run()`, which must wait for its own result."""
    for _ in range(warm_up):
        run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak_gib() -> float:
    """Peak resident memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def machine_gflops() -> float:
    """What this machine reaches in a large float32 matrix product, in GFLOP/s.

    The yardstick of the same run: the share of it that a model reaches compares across machines.
    """
    import tensorflow as tf

    size = 2048
    a = tf.random.stateless_normal((size, size), (0, 0))
    product = tf.function(lambda x: tf.reduce_sum(tf.matmul(x, x)))
    return 2 * size**3 / median_seconds(lambda: float(product(a)), repeats=5) / 1e9


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
