"""Arguments that several command lines have. Importing this does not import TensorFlow."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from hvp.errors import UserError

MOST_SEED = 2**31 - 1  # seeds of stateless random operations are int32


def add_overrides(parser: argparse.ArgumentParser, of: str = "the configuration") -> None:
    """Declares `--set`, as `load_config` takes it, in `arguments.overrides`."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="SECTION.KEY=VALUE",
        help=f"overrides any key of {of}; may be repeated",
    )


def parse_formats(text: str, valid: Sequence[str]) -> list[str]:
    """The names in `--format A,B`, each once.

    Raises:
        UserError: for a name that is not valid.
    """
    formats = list(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    for name in formats:
        if name not in valid:
            raise UserError(f"--format {text}: unknown format {name!r}; valid: {','.join(valid)}")
    return formats


def check_seed(seed: int) -> None:
    """Raises a `UserError` for a `--seed` that stateless random operations do not take."""
    if not 0 <= seed <= MOST_SEED:
        raise UserError(f"--seed must be from 0 to {MOST_SEED}, found {seed}")


def check_fps(fps: float) -> None:
    """Raises a `UserError` for a `--fps` that GIF and MP4 cannot hold."""
    if not 0.1 <= fps <= 1000:
        raise UserError(f"--fps must be from 0.1 to 1000, found {fps:g}")
