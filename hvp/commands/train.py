"""`hvp train`, or `python train.py`: trains an experiment."""

from __future__ import annotations

import argparse
import sys

from hvp.commands.options import add_configuration, add_new_runs, read_configuration

HELP = "Trains an experiment into LOGDIR/NAME; run again, it goes on."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_configuration(parser)
    add_new_runs(parser)
    parser.add_argument(
        "--strategy",
        metavar="NAME",
        help="overrides training.strategy: auto, cpu, gpu, mirrored or multiworker",
    )


def run(arguments: argparse.Namespace) -> int:
    """Trains; exit code 0, or 130 or 143 when interrupted."""
    config = read_configuration(arguments, {"strategy": "training.strategy"})

    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.training.trainer import Interrupted, train

    try:
        train(config, arguments.logdir)
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return interrupted.exit_code
    return 0
