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
import os
import sys

from kinds import runs_of
from originals import peak_gib, use
from turns import print_processes_in_turns, start, wait_for_turns

from hvp.commands.bench import PRECISIONS
from hvp.heap import give_back


def wait(case: str, precision: str) -> None:
    """What a checkout's process does."""
    use(precision)
    from hvp.timing.clock import product_seconds

    # As commands give back what compiling has left.
    wait_for_turns(runs_of(case), peak_gib, product_seconds, give_back)


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
        how = zip(("before", "after"), arguments.checkouts, arguments.precisions, strict=True)
        command = [sys.executable, os.path.abspath(__file__), "--wait", case]
        processes = {
            label: start([*command, precision], folder, PYTHONPATH=os.path.abspath(folder))
            for label, folder, precision in how
        }
        print_processes_in_turns(case, processes, arguments.repeats, arguments.only)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--wait"]:
        wait(*sys.argv[2:])
    else:
        main()
