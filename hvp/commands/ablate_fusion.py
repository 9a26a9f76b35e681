"""`hvp ablate-fusion`: the variants of the synthesis network, trained and compared."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvp.commands.options import Experiment, add_configuration, add_new_runs, read_configuration
from hvp.commands.recursion import add_recursion, check_recursion, compare
from hvp.errors import UserError

if TYPE_CHECKING:
    from hvp.config import ExperimentConfig

HELP = (
    "Trains the synthesis network without its fusion pictures, without its accompanying losses, "
    "and whole, or goes on with them, and compares the three as `recursion` does."
)
# Variant -> what differs from the configuration.
ABLATION: dict[str, dict[str, Any]] = {
    "full": {},
    "without_fusion": {"fusion": False},
    "without_accompanying": {"accompanying": False},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_configuration(parser, default="configs/fusion_demo.yml")
    add_new_runs(parser, default="logs/ablation")
    add_recursion(parser)


def run(arguments: argparse.Namespace) -> None:
    """Trains the variants one after the other, or goes on with them, then compares them."""
    check_recursion(arguments)
    config = read_configuration(arguments)
    if config.model.family != "fusion":
        raise UserError(
            f"{arguments.config}: model.family is {config.model.family!r}; the ablation is of "
            "fusion models, such as configs/fusion_demo.yml"
        )
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    experiments = [_trained(config, variant, arguments.logdir) for variant in ABLATION]
    compare(experiments, arguments, Path(arguments.logdir) / "comparison")


def _trained(config: ExperimentConfig, variant: str, logdir: str) -> Experiment:
    from hvp.training.trainer import train

    changed = dataclasses.replace(config.replace("model", **ABLATION[variant]), name=variant)
    return Experiment(train(changed, logdir), changed, "latest", ())
