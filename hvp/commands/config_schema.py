"""`hvp config-schema`: what configuration files may hold, for editors to check and complete."""

from __future__ import annotations

import argparse
import json

from hvp.errors import UserError
from hvp.families import FAMILIES
from hvp.text import nearest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.description = (
        "Prints the JSON schema of configuration files. Save it, and begin a file with the line "
        "'# yaml-language-server: $schema=PATH': editors then check and complete its keys."
    )
    parser.add_argument(
        "--family", metavar="NAME", help="whose model section is meant (default: any family's)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    family = arguments.family
    if family is not None and family not in FAMILIES:
        raise UserError(f"--family is {family!r}{nearest(family, FAMILIES)}")
    from hvp.config.schema import json_schema

    print(json.dumps(json_schema(family), indent=2, ensure_ascii=False))
