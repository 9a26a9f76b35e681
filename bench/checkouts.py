"""Updates and predictions of two checkouts of hvp, in turns.

    git worktree add /tmp/before COMMIT
    python bench/checkouts.py /tmp/before . --cases sdfnet-64-1 dfdnet-16-4 [--repeats 7]
        [--precisions float32 mixed_bfloat16]

A machine's speed changes by the minute, so each checkout's model waits in a process of its own and
both run one after the other, a matrix product before each. A case is family, width and batch, of
`bench/kinds.py`. The last column is how many times faster the second checkout is: the
median of the turns, and in brackets the least and most.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from kinds import runs_of
from originals import peak_gib, use

from hvp.commands.bench import PRECISIONS

RUNS = 4  # in a turn, after one that is not counted


def wait_for_turns(case: str, precision: str) -> None:
    """A checkout's process: for each line of its input, the mean time of `RUNS` of it."""
    use(precision)
    from hvp.timing.clock import product_seconds

    runs = runs_of(case)
    started = time.perf_counter()
    for run in runs.values():
        run()
    print(json.dumps({"names": list(runs), "first": time.perf_counter() - started}), flush=True)
    for run in runs.values():
        run()
    for line in sys.stdin:
        product = product_seconds()
        runs[line.strip()]()  # caches hold what is the other process'
        started = time.perf_counter()
        for _ in range(RUNS):
            runs[line.strip()]()
        seconds = (time.perf_counter() - started) / RUNS
        row = {"seconds": seconds, "product": product, "gib": peak_gib()}
        print(json.dumps(row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", nargs=2, help="folders, the one from before first")
    parser.add_argument("--cases", nargs="+", default=["sdfnet-64-1"])
    parser.add_argument("--only", choices=("train step", "inference"))
    parser.add_argument("--repeats", type=int, default=7, help="turns")
    parser.add_argument(
        "--precisions",
        nargs=2,
        choices=PRECISIONS,
        default=("float32", "float32"),
        metavar=("BEFORE", "AFTER"),
        help="of the first checkout and of the second",
    )
    arguments = parser.parse_args()
    for case in arguments.cases:
        processes = [
            subprocess.Popen(
                [sys.executable, os.path.abspath(__file__), "--wait", case, precision],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "PYTHONPATH": os.path.abspath(folder)},
                cwd=folder,
            )
            for folder, precision in zip(arguments.checkouts, arguments.precisions, strict=True)
        ]
        ready = [json.loads(process.stdout.readline()) for process in processes]
        for name in [arguments.only] if arguments.only else ready[0]["names"]:
            rows: list[list[dict[str, float]]] = [[], []]
            for _ in range(arguments.repeats):
                for process, found in zip(processes, rows, strict=True):
                    print(name, file=process.stdin, flush=True)
                    found.append(json.loads(process.stdout.readline()))
            ratios = sorted(
                before["seconds"] / after["seconds"] for before, after in zip(*rows, strict=True)
            )
            for label, found, start in zip(("before", "after"), rows, ready, strict=True):
                seconds = sorted(row["seconds"] for row in found)
                products = statistics.median(row["seconds"] / row["product"] for row in found)
                line = f"{case:16} {name:10} {label:7} {statistics.median(seconds):6.3f} s "
                line += f"({seconds[0]:.3f}-{seconds[-1]:.3f}) {products:6.1f} products "
                line += f"{found[-1]['gib']:5.2f} GiB, first {start['first']:4.1f} s"
                if label == "after":
                    line += f", {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
                print(line, flush=True)
        for process in processes:
            process.stdin.close()
            process.wait()


if __name__ == "__main__":
    if sys.argv[1] == "--wait":
        wait_for_turns(*sys.argv[2:])
    else:
        main()
