"""`python -m hvp COMMAND`: everything besides training and evaluation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hvp.commands.options import add_overrides
from hvp.errors import command


def parser() -> argparse.ArgumentParser:
    """The command line; every command's own parser sets `run`, a function of the arguments."""
    top = argparse.ArgumentParser(prog="python -m hvp", description=__doc__)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    prepare = commands.add_parser(
        "prepare", help="build a data set in the layout that the loaders read"
    )
    from hvp.commands import prepare as data_prepare

    data_prepare.add_arguments(prepare)
    prepare.set_defaults(run=data_prepare.run)

    from hvp.commands import predict as predict_command
    from hvp.commands import show as show_command
    from hvp.commands import validate_metrics as validation_command

    show = commands.add_parser("show", help="show what the model will see of a data set")
    show_command.add_arguments(show)
    show.set_defaults(run=show_command.run)

    predict = commands.add_parser("predict", help="predict how your own videos go on")
    predict_command.add_arguments(predict)
    predict.set_defaults(run=predict_command.run)

    validation = commands.add_parser(
        "validate-metrics", help="show where traditional and frequency metrics disagree"
    )
    validation_command.add_arguments(validation)
    validation.set_defaults(run=validation_command.run)

    from hvp.commands import generate as generate_command

    generate = commands.add_parser(
        "generate", help="generate videos, with their motion as asked for"
    )
    generate_command.add_arguments(generate)
    generate.set_defaults(run=generate_command.run)

    from hvp.commands import fvd as fvd_command

    fvd = commands.add_parser("fvd", help="measure the Fréchet video distance of generated videos")
    fvd_command.add_arguments(fvd)
    fvd.set_defaults(run=fvd_command.run)

    from hvp.commands import fuse as fusion_command

    fuse = commands.add_parser("fuse", help="show the fusion pictures of a video")
    fusion_command.add_arguments(fuse)
    fuse.set_defaults(run=fusion_command.run)

    from hvp.commands import recursion as recursion_command

    recursion = commands.add_parser(
        "recursion", help="compare experiments on long recursive predictions"
    )
    recursion_command.add_recursion_arguments(recursion)
    recursion.set_defaults(run=recursion_command.run_recursion)
    ablation = commands.add_parser(
        "ablate-fusion", help="train and compare the variants of the synthesis network"
    )
    recursion_command.add_ablation_arguments(ablation)
    ablation.set_defaults(run=recursion_command.run_ablation)

    from hvp.commands import config_schema

    schema = commands.add_parser(
        "config-schema", help="print the JSON schema of configuration files, for editors"
    )
    config_schema.add_arguments(schema)
    schema.set_defaults(run=config_schema.run)

    importing = commands.add_parser(
        "import-weights", help="make an experiment of a published checkpoint"
    )
    importing.add_argument(
        "--checkpoint",
        required=True,
        help="folder or prefix of a TensorFlow 1 checkpoint, or a PyTorch .pth or .pt file",
    )
    importing.add_argument(
        "--config",
        help="one of our configurations or the original's config.yml (default: the one beside it)",
    )
    importing.add_argument("--logdir", default="logs", help="the experiment goes to LOGDIR/NAME")
    add_overrides(importing)
    importing.set_defaults(run=_import_weights)
    return top


def _import_weights(arguments: argparse.Namespace) -> None:
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.weights.importing import import_checkpoint

    folder = import_checkpoint(
        arguments.checkpoint, arguments.config, arguments.logdir, tuple(arguments.overrides)
    )
    print(f"imported into {folder}")
    print(f"evaluate it: python eval_with_lpips.py --logdir {folder}/model")


@command
def main(argv: Sequence[str] | None = None) -> int | None:
    """Runs one command; see `python -m hvp --help`."""
    arguments = parser().parse_args(argv)
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
