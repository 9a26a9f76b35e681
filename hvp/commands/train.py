"""`hvp train`, or `python train.py`: trains an experiment."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from hvp.commands.options import add_configuration, add_new_runs, add_which, read_configuration
from hvp.errors import UserError

if TYPE_CHECKING:
    from hvp.training.cluster import Cluster

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
    add_which(parser, doing="to go on from: ")
    parser.add_argument(
        "--workers",
        metavar="HOST:PORT,...",
        help="the workers that train together, the same on all of them; implies multiworker",
    )
    parser.add_argument(
        "--worker", type=int, metavar="N", help="which of --workers this process is, from 0"
    )


def run(arguments: argparse.Namespace) -> int:
    """Trains; exit code 0, 130 or 143 when interrupted, 75 when another worker is gone."""
    if arguments.workers is not None and arguments.strategy is None:
        arguments.strategy = "multiworker"
    config = read_configuration(arguments, {"strategy": "training.strategy"})
    cluster = _cluster(arguments, config.training.strategy)

    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.training.trainer import Interrupted, train

    try:
        train(config, arguments.logdir, cluster=cluster, checkpoint=arguments.checkpoint)
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return interrupted.exit_code
    return 0


def _cluster(arguments: argparse.Namespace, strategy: str) -> Cluster | None:
    """The workers of a multi-worker run, before TensorFlow is imported."""
    if strategy != "multiworker":
        if arguments.workers is not None or arguments.worker is not None:
            raise UserError(f"--workers and --worker need --strategy multiworker, not {strategy}")
        return None
    from hvp.training.cluster import make_cluster

    cluster = make_cluster(arguments.workers, arguments.worker, os.environ)
    if not os.environ.get("HVP_VERBOSE"):
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # its notes on lost workers would bury our line
    return cluster
