"""`hvp share`: a trained model as a folder that others can use, here or on the Hugging Face Hub."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from hvp.commands.options import add_which
from hvp.commands.parser import choice

HELP = (
    "Writes a trained model's weights, configuration and card (data, protocol, metrics, pictures) "
    "into a folder, or to hf://user/repo; --preset and hvp.from_preset take both. Evaluate first."
)
PRECISIONS = ("float16", "float32")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add = parser.add_argument
    add("--logdir", required=True, help="an experiment, logs/NAME or logs/NAME/model")
    add_which(parser)
    add("--to", required=True, metavar="PLACE", help="a folder, or hf://user/repo")
    add("--title", help="what the model is, in a line")
    add(
        "--precision",
        type=choice(PRECISIONS),
        choices=PRECISIONS,
        default=PRECISIONS[0],
        help="in which weights are stored (%(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Writes the folder, and uploads it where that is asked for."""
    from hvp.experiment.presets import HUB, hub_name

    if not arguments.to.startswith(HUB):
        print(f"shared: {_write(arguments, Path(arguments.to))}")
        return
    from hvp.experiment.presets import upload

    hub_name(arguments.to)  # before any work
    with tempfile.TemporaryDirectory(prefix="hvp-") as folder:
        upload(_write(arguments, Path(folder)), arguments.to)
    print(f"shared: {arguments.to}")


def _write(arguments: argparse.Namespace, folder: Path) -> Path:
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.experiment.sharing import share

    return share(
        arguments.logdir, folder, arguments.title, arguments.precision, arguments.checkpoint
    )
