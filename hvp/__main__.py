"""`hvp COMMAND`, or `python -m hvp COMMAND`: the table of commands.

A command is a module of `hvp.commands` with its name, of which only the asked one is imported:

- `HELP`: what it does, for its own `--help`;
- `add_arguments(parser)`: declares its arguments, without importing TensorFlow;
- `run(arguments)`: does it, and returns an exit code or `None` for 0.
"""

from __future__ import annotations

import importlib
import sys
import textwrap
from argparse import RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import hvp
from hvp.commands.parser import Parser, choice
from hvp.errors import UserError, command

COMMANDS = {
    "train": "train an experiment, or go on with it",
    "launch": "write a batch file that trains on many machines, for SLURM",
    "evaluate": "measure how well an experiment predicts, and write a report",
    "prepare": "build a data set in the layout that the loaders read",
    "show": "show what the model will see of a data set",
    "predict": "predict how your own videos go on",
    "share": "pass a trained model on, as a folder or on the Hugging Face Hub",
    "generate": "generate videos, with their motion as asked for",
    "fvd": "measure the Fréchet video distance of generated videos",
    "fuse": "show the fusion pictures of a video",
    "recursion": "compare experiments on long recursive predictions",
    "benchmark": "train several families on the same data and put them into one table",
    "law": "compare sampled futures of forking shapes with their exact law",
    "ablate": "train and compare variants of an experiment",
    "validate-metrics": "show where traditional and frequency metrics disagree",
    "import-weights": "make an experiment of a published checkpoint",
    "bench": "measure how fast an experiment trains, predicts and reads its data",
    "config-schema": "print the JSON schema of configuration files, for editors",
}

# Commands of earlier versions -> what does the same.
FORMER = {"ablate-fusion": "ablate --config fusion_demo"}


def parser_of(name: str, prog: str | None = None) -> Parser:
    """The parser of one command.

    Args:
        name: of `COMMANDS`.
        prog: how the command was started, for its help; `hvp NAME` by default.

    Example:
        >>> parser_of("show").parse_args(["--config", "kth"]).config
        'kth'
    """
    module = _module(name)
    parser = Parser(prog=prog or f"{_program()} {name}", description=module.HELP)
    module.add_arguments(parser)
    return parser


@command
def main(argv: Sequence[str] | None = None) -> int | None:
    """Runs the command that `argv` (or the command line) names, with the arguments after it."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv and argv[0] in FORMER:
        raise UserError(f"{argv[0]} is now: {_program()} {FORMER[argv[0]]}")
    name = _top_parser().parse_args(argv[:1]).command
    return _run(name, argv[1:])


@command
def script(name: str, argv: Sequence[str] | None = None) -> int | None:
    """Runs the command `name` from a script of its own, such as `train.py`."""
    argv = sys.argv[1:] if argv is None else list(argv)
    return _run(name, argv, prog=f"python {Path(sys.argv[0]).name}")


def _run(name: str, argv: Sequence[str], prog: str | None = None) -> int | None:
    arguments = parser_of(name, prog).parse_args(argv)
    return _module(name).run(arguments)


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"hvp.commands.{name.replace('-', '_')}")


def _program() -> str:
    return "hvp" if Path(sys.argv[0]).stem == "hvp" else "python -m hvp"


def _top_parser() -> Parser:
    width = max(map(len, COMMANDS)) + 2
    table = "\n".join(f"{name:{width}}{summary}" for name, summary in COMMANDS.items())
    parser = Parser(
        prog=_program(),
        usage="%(prog)s COMMAND ...",
        description="Stochastic video prediction and video generation in TensorFlow and Keras.",
        epilog=f"commands (COMMAND --help says more):\n{textwrap.indent(table, '  ')}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hvp {hvp.__version__}")
    parser.add_argument("command", type=choice(COMMANDS), metavar="COMMAND", help="what to do")
    return parser


if __name__ == "__main__":
    sys.exit(main())
