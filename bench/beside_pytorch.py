"""SDFNet and DFDNet and their originals' computation in PyTorch, in turns on the same cores.

    python -m venv /tmp/pytorch && /tmp/pytorch/bin/pip install numpy torch
    python bench/beside_pytorch.py --python /tmp/pytorch/bin/python [--cases dfdnet-16-4]

The PyTorch side is `bench/sdfnet_in_pytorch.py` and `bench/dfdnet_in_pytorch.py`, which first check
that they compute what the originals computed (outputs and gradients, `tests/data/golden/seeded`).
Both wait in a process of their own and run one after the other. The last column is how many times
faster ours is: the median of the turns, and in brackets the least and most. A turn of SDFNet takes
a minute.
"""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import sys

from turns import print_processes_in_turns, start, wait_for_turns

HERE = os.path.abspath(__file__)


def wait(case: str) -> None:
    """What PyTorch's process does, which has no hvp."""
    family, width, batch = case.split("-")
    model = importlib.import_module(f"{family}_in_pytorch")
    model.check()
    wait_for_turns(model.runs_of(int(width), int(batch)), peak_gib)


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts KiB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="one that has PyTorch and NumPy")
    parser.add_argument("--cases", nargs="+", default=["dfdnet-16-4", "dfdnet-64-1"])
    parser.add_argument("--repeats", type=int, default=9, help="turns")
    arguments = parser.parse_args()
    folder = os.path.dirname(os.path.dirname(HERE))
    ours = os.path.join(folder, "bench", "checkouts.py")
    for case in arguments.cases:
        processes = {
            "PyTorch": start(
                [arguments.python, HERE, "--wait", case],
                folder,
                PYTHONPATH=os.path.join(folder, "tests"),
            ),
            "hvp": start(
                [sys.executable, ours, "--wait", case, "float32"], folder, PYTHONPATH=folder
            ),
        }
        print_processes_in_turns(case, processes, arguments.repeats)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--wait"]:
        wait(*sys.argv[2:])
    else:
        main()
