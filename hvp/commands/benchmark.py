"""`hvp benchmark`: several families on the same data, in one table."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from hvp.commands.options import add_new_runs, add_overrides, add_which, overrides_of

HELP = (
    "Trains the models of a benchmark one after the other, or goes on with them, scores them on "
    "the same test videos, and writes one table: every metric with intervals, paired differences "
    "from the best, curves, a sample of each. What is finished is not done again."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    text = "a file, or the name of a benchmark that comes with hvp, such as forking_shapes_small"
    parser.add_argument("config", metavar="CONFIG", help=text)
    add_new_runs(parser, default="logs/benchmarks")
    add_overrides(parser, of="all models' configurations")
    add_which(parser, doing="to score: ")


def run(arguments: argparse.Namespace) -> int:
    """Trains, scores, writes the page and prints the table."""
    from hvp.config.benchmark import load_benchmark

    benchmark = load_benchmark(arguments.config, overrides_of(arguments))

    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.evaluation.benchmark import STEM, run_benchmark
    from hvp.training.trainer import Interrupted, train

    folder = Path(arguments.logdir) / benchmark.name
    command = f"hvp {shlex.join(sys.argv[1:])}"
    try:
        page = run_benchmark(benchmark, folder, train, command, arguments.checkpoint)
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return interrupted.exit_code
    for table in (page.parent / f"{STEM}.md", page.parent / "law/law.md"):
        if table.is_file():
            print(table.read_text(encoding="utf-8"))
    print(f"page: {page}")
    return 0
