"""`hvp config-schema`: what configuration files may hold, for editors to check and complete."""

from __future__ import annotations

import argparse
import json

from hvp.commands.parser import choice
from hvp.families import FAMILIES

HELP = (
    "Prints the JSON schema of configuration files. Save it, and begin a file with the line "
    "'# yaml-language-server: $schema=PATH': editors then check and complete its keys."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "--family",
        type=choice(FAMILIES),
        metavar="NAME",
        help="whose model section is meant (default: any family's)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Prints the schema."""
    from hvp.config.schema import json_schema

    print(json.dumps(json_schema(arguments.family), indent=2, ensure_ascii=False))
