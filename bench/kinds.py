"""What an update or a prediction is made of, by kind of operation, in matrix products.

    python bench/kinds.py [hierarchical-4 sdfnet-64-1 dfdnet-16-4 ...] [--precision mixed_bfloat16]

From TensorFlow's profile with one operation at a time, each on all cores: otherwise two that share
the cores would count twice. Beside each kind are its milliseconds, median (least-most) over the
profiled runs, its number of operations and what it is in the matrix products before and after each
run (`hvp.timing.clock`). The last line is the time without the profiler, of operations that
run as they usually do, one beside the other, in a process of its own. A case is a family, the
width (not of the hierarchical model, at the published sizes) and the batch.
"""

from __future__ import annotations

import argparse
import glob
import itertools
import json
import os
import re
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable
from typing import Any

import frequency_nets
import hierarchical
from originals import row_of, use

from hvp.commands.bench import PRECISIONS
from hvp.timing.clock import measure, product_seconds

# The first pattern that is found in an operation's type tells its kind.
KINDS = {
    "products of matrices": "MatMul",
    "convolutions": "Conv",
    "transforms": "FFT",
    "compiled passes": "ExecuteAsyncOnStream",
    "transpositions": "Transpose",
    "optimizer": "ResourceApply",
    "others": "",
}
# TensorFlow's own: what no other way to write a model makes faster, unless there is less of it.
KERNELS = ("products of matrices", "convolutions", "transforms", "optimizer")
OPERATION = re.compile(r"[^:]+:(\w+)$")  # name and type; what is not an operation has a "::"
COMPILED = "CpuExecutable::ExecuteAsyncOnStream"
AROUND_OTHERS = re.compile("Call|While|If$|XlaLaunch|XlaRun")


def runs_of(case: str) -> dict[str, Callable[[], object]]:
    """What is timed of a case, by name; TensorFlow is imported already."""
    family, *sizes = case.split("-")
    if family == "hierarchical":
        return {"train step": hierarchical.update_of(*map(int, sizes))}
    return frequency_nets.runs_of(family, *map(int, sizes))


def profiled(run: Callable[[], object]) -> tuple[dict[str, float], dict[str, int]]:
    """Milliseconds and number of operations of one run, by kind."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    times: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            run()
        (path,) = glob.glob(os.path.join(folder, "**", "*.xplane.pb"), recursive=True)
        space = xplane_pb2.XSpace()
        with open(path, "rb") as file:
            space.ParseFromString(file.read())
    for plane in space.planes:
        if not plane.name.startswith("/host:CPU"):
            continue
        names = {number: metadata.name for number, metadata in plane.event_metadata.items()}
        for event in (event for line in plane.lines for event in line.events):
            name = names[event.metadata_id]
            operation = OPERATION.match(name)
            if name != COMPILED and (not operation or AROUND_OTHERS.search(operation[1])):
                continue
            kind = next(kind for kind, part in KINDS.items() if part in name.rsplit(":")[-1])
            times[kind] += event.duration_ps / 1e9
            numbers[kind] += 1
    return dict(times), dict(numbers)


def profile_case(case: str, precision: str, name: str, repeats: int) -> dict[str, Any]:
    use(precision)
    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(1)
    run = runs_of(case)[name]
    for _ in range(3):
        run()
    times, units = [], [product_seconds()]
    for _ in range(repeats):
        found, numbers = profiled(run)
        times.append(found)
        units.append(product_seconds())
    units = [500 * sum(around) for around in itertools.pairwise(units)]
    return {"times": times, "numbers": numbers, "units": units}


def time_case(case: str, precision: str, name: str, repeats: int) -> dict[str, Any]:
    use(precision)
    return measure(runs_of(case)[name], repeats)


def line(name: str, times: list[float], units: list[float], number: str) -> str:
    """Milliseconds of several runs, and the same in matrix products of `units` milliseconds."""
    products = [time / unit for time, unit in zip(times, units, strict=True)]
    return (
        f"  {name:22}{statistics.median(times):8.0f} ms ({min(times):.0f}-{max(times):.0f}) "
        f"{number:6} {statistics.median(products):8.1f} products "
        f"({min(products):.1f}-{max(products):.1f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=["dfdnet-16-4"])
    parser.add_argument("--inference", action="store_true", help="not a train step")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        case = json.loads(arguments.case)
        how = {"profile": profile_case, "time": time_case}[case.pop("how")]
        print(json.dumps(how(**case)))
        return
    name = "inference" if arguments.inference else "train step"
    for case in arguments.cases:
        settings = {
            "case": case,
            "precision": arguments.precision,
            "name": name,
            "repeats": arguments.repeats,
        }
        row = row_of(__file__, {**settings, "how": "profile"})
        print(f"{case}, {name}, {arguments.precision}: one operation at a time")
        for kind in KINDS:
            times = [found.get(kind, 0.0) for found in row["times"]]
            print(line(kind, times, row["units"], f"{row['numbers'].get(kind, 0):6d}"))
        kernels = [sum(found.get(kind, 0.0) for kind in KERNELS) for found in row["times"]]
        print(line("TensorFlow's kernels", kernels, row["units"], ""))
        print(line("all", [sum(found.values()) for found in row["times"]], row["units"], ""))
        row = row_of(__file__, {**settings, "how": "time"})
        print(
            f"  {'side by side':22}{1000 * row['seconds']:8.0f} ms "
            f"({1000 * row['least']:.0f}-{1000 * row['most']:.0f}) {'':6}"
            f"{row['products']:8.1f} products "
            f"({row['least_products']:.1f}-{row['most_products']:.1f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
