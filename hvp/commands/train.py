"""`python train.py`: the command line of training."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from hvp.commands.options import add_overrides
from hvp.config import load_config
from hvp.errors import command


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python train.py",
        description="Trains an experiment into LOGDIR/NAME; run again, it goes on.",
    )
    result.add_argument("--config", required=True, help="such as configs/kth.yml")
    result.add_argument("--logdir", default="logs", help="parent of the run's folder (logs)")
    result.add_argument("--datadir", help="overrides data.datadir")
    result.add_argument(
        "--strategy",
        choices=("auto", "cpu", "gpu", "mirrored", "multiworker"),
        help="overrides training.strategy",
    )
    add_overrides(result)
    return result


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Trains; exit code 0, 2 for a mistake of the user, 130 or 143 when interrupted."""
    arguments = parser().parse_args(argv)
    overrides = list(arguments.overrides)
    if arguments.datadir is not None:
        overrides.append(f"data.datadir={json.dumps(arguments.datadir)}")
    if arguments.strategy is not None:
        overrides.append(f"training.strategy={arguments.strategy}")
    config = load_config(arguments.config, overrides)

    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.training.trainer import Interrupted, train

    try:
        train(config, arguments.logdir)
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return interrupted.exit_code
    return 0
