"""`hvp import-weights`: makes an experiment of a published checkpoint."""

from __future__ import annotations

import argparse

from hvp.commands.options import add_new_runs, add_overrides, overrides_of

HELP = (
    "Makes an experiment of a checkpoint that the authors of a paper published, or that their "
    "program wrote; it can be evaluated, and training goes on from it."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "--checkpoint",
        required=True,
        metavar="PATH",
        help="folder or prefix of a TensorFlow 1 checkpoint, or a PyTorch .pth or .pt file",
    )
    parser.add_argument(
        "--config",
        help="one of our configurations or the original's config.yml (default: the one beside it)",
    )
    add_new_runs(parser)
    add_overrides(parser, of="the configuration")


def run(arguments: argparse.Namespace) -> None:
    """Imports a checkpoint and says how to evaluate it."""
    overrides = tuple(overrides_of(arguments))

    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.weights.importing import import_checkpoint

    folder = import_checkpoint(arguments.checkpoint, arguments.config, arguments.logdir, overrides)
    print(f"imported into {folder}")
    print(f"evaluate it: python -m hvp evaluate --logdir {folder}/model")
