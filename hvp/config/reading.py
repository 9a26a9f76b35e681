"""Configuration files: YAML, and the file that each one starts from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hvp.config.experiment import ExperimentConfig
from hvp.config.mistakes import shown
from hvp.config.parsing import Layer, Override, parse_layers
from hvp.config.yaml_text import parse_yaml
from hvp.config_files import find_config
from hvp.errors import UserError
from hvp.text import nearest

LARGEST_FILE = 2**18  # bytes, a hundred times what a configuration has


def load_config(path: str | Path, overrides: Iterable[str | Override] = ()) -> ExperimentConfig:
    """Reads a configuration file and applies overrides.

    Args:
        path: a YAML file, or the name of a packaged one (`kth`; see `find_config`). Its `base:`
            file, if it names one, is read first.
        overrides: strings `section.key=value`, the value in YAML (`training.batch_size=8`), or
            `Override`s.

    Raises:
        UserError: naming file and key, for a missing or malformed file, an unknown key (with the
            nearest valid one), a value of the wrong type or out of its range, and a batch that no
            machine holds.

    Example:
        >>> config = hvp.load_config("configs/demo.yml", ["training.steps=10"])
        >>> config.training.steps
        10
    """
    path = find_config(path)
    name = Layer(str(path), {"name": path.stem}, base=True)
    config = parse_layers([name, *_read_layers(path, seen=())], overrides)
    return dataclasses.replace(config, source=str(path))


def _read_layers(path: Path, seen: tuple[Path, ...]) -> list[Layer]:
    """The file's base, its base's base, ..., the file itself last."""
    content = read_mapping(path)
    base = content.pop("base", None)
    layer = Layer(str(path), content)
    if base is None:
        return [layer]
    if not isinstance(base, str) or not base or "\0" in base:
        raise UserError(f"{path}: 'base' must be the name of a file, found {shown(base)}")
    try:
        own = path.resolve()
        base_path = find_config(base, relative_to=path.parent).resolve()
    except (OSError, ValueError, RuntimeError):  # too long, no text, a loop of links
        raise UserError(f"{path}: 'base' is {shown(base)}, which names no file") from None
    if base_path in seen or base_path == own:
        raise UserError(f"{path}: 'base: {base}' leads back to itself")
    below = _read_layers(base_path, (*seen, own))
    return [*(dataclasses.replace(lower, base=True) for lower in below), layer]


def read_mapping(path: Path) -> dict[Any, Any]:
    """The keys of a YAML file, not checked any further.

    Raises:
        UserError: if it cannot be read or holds no keys.
    """
    try:
        with path.open("rb") as file:
            written = file.read(LARGEST_FILE + 1)
        text = written.decode("utf-8")
    except FileNotFoundError:
        nearby = [str(p) for p in sorted(path.parent.glob("*.yml"))] if path.parent.is_dir() else []
        raise UserError(f"{path}: no such configuration file{nearest(str(path), nearby)}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read as a configuration file: {reason}") from None
    if len(written) > LARGEST_FILE:
        raise UserError(f"{path}: a configuration file has at most {LARGEST_FILE} bytes")
    content = parse_yaml(text, str(path))
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: expected sections such as 'data:' and 'model:', found {shown(content)}"
        )
    return content
