"""Times of repeated runs, in seconds and in matrix products of the same run."""

from __future__ import annotations

import functools
import itertools
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from hvp.errors import UserError

SIZE = 2048  # of the square float32 matrices whose product is the unit of time
PRODUCT_FLOP = 2 * SIZE**3
SHORTEST = 0.2  # seconds of a repeat: shorter ones are made several times and divided


def measure(run: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Times `run()` after a first one, and the machine's matrix product before and after each.

    Returns:
        `seconds` (median), `least` and `most`; `product`, the median seconds of a product of
        2048x2048 float32 matrices; and each repeat in units of the products around it, which
        compares across machines to perhaps 25 %: `products` (median), `least_products` and
        `most_products`.
    """
    run()
    times = max(1, math.ceil(SHORTEST / _seconds(run, 1)))
    found, units = [], [product_seconds()]
    for _ in range(repeats):
        found.append(_seconds(run, times))
        units.append(product_seconds())
    products = [
        2 * seconds / sum(around)
        for seconds, around in zip(found, itertools.pairwise(units), strict=True)
    ]
    return {
        "seconds": statistics.median(found),
        "least": min(found),
        "most": max(found),
        "products": statistics.median(products),
        "least_products": min(products),
        "most_products": max(products),
        "product": statistics.median(units),
    }


def of_each(row: dict[str, float], count: int) -> dict[str, float]:
    """A row of `measure` for one of the `count` things that each run did."""
    # The unit stays what it is.
    return {name: value / (1 if name == "product" else count) for name, value in row.items()}


def median_seconds(run: Callable[[], Any], repeats: int) -> float:
    """Median of `repeated_seconds`."""
    return statistics.median(repeated_seconds(run, repeats))


def repeated_seconds(run: Callable[[], Any], repeats: int) -> list[float]:
    """Wall-clock seconds of every `run()` after a first one; it must wait for its own result."""
    run()
    return [_seconds(run, 1) for _ in range(repeats)]


def product_seconds() -> float:
    """Seconds of a large float32 matrix product, the unit of time of this machine right now."""
    product = _product()
    return median_seconds(lambda: float(product()), repeats=3)


@functools.cache
def _product() -> Callable[[], Any]:
    import tensorflow as tf

    a = tf.random.stateless_normal((SIZE, SIZE), (0, 0))
    product = tf.function(lambda x: tf.reduce_sum(tf.matmul(x, x)), autograph=False)
    return lambda: product(a)


def in_own_process(command: Sequence[str], case: Any, timeout: float | None = None) -> Any:
    """Runs `python COMMAND JSON` and returns the JSON of its last line.

    A process of its own, so that peak memory is that of the case.

    Args:
        command: a script, or `-m` and a module, that reads the case from its last argument.
        case: what JSON can hold.
        timeout: seconds after which it is given up.

    Raises:
        UserError: with the last line of what it said, if it failed or took longer.
    """
    try:
        done = subprocess.run(
            [sys.executable, *command, json.dumps(case)],
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"not done after {timeout:.0f} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        why = "killed, as where memory is short" if done.returncode == -9 else said[-1]
        raise UserError(why.removeprefix("error: "))
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    print(*notes, sep="\n", end="\n" * bool(notes), file=sys.stderr)
    return json.loads(done.stdout.strip().splitlines()[-1])


def _seconds(run: Callable[[], Any], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - start) / times
