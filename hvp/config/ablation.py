"""Ablations: variants of one experiment, each what it changes of a base configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, TypeVar

from hvp.config.experiment import ExperimentConfig
from hvp.config.fields import section
from hvp.config.mistakes import SettingError, shown
from hvp.config.parsing import Override
from hvp.config.reading import load_config, read_mapping
from hvp.config_files import find_config
from hvp.errors import UserError
from hvp.text import name_problem, nearest

FOLDER = "ablations"  # of the packaged configurations
T = TypeVar("T")
CHANGED = ("data", "model", "training", "seed")  # by variants; evaluation is one for all


@section(frozen=True)
class AblationConfig:
    """A file of `configs/ablations`."""

    question: str
    """What the comparison is about; heads its page."""
    base: str
    """The experiment that all variants start from: a file or the name of a packaged one."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Sections of keys that differ from the base in all variants alike."""
    variants: dict[str, Any] = field(default_factory=dict)
    """Name -> sections of keys that it alone changes; the first is what others are held against."""


@dataclasses.dataclass(frozen=True)
class Ablation:
    """An ablation whose variants are resolved.

    Attributes:
        name: the file's.
        question: as in the file.
        variants: name -> experiment of that name; the first is the baseline.
        changes: name -> what it changes, `section.key` -> value.
    """

    name: str
    question: str
    variants: dict[str, ExperimentConfig]
    changes: dict[str, dict[str, Any]]


def load_ablation(path: str | Path, overrides: Iterable[str | Override] = ()) -> Ablation:
    """Reads an ablation and resolves its variants.

    Args:
        path: a YAML file, or the name of a packaged one (`dfdnet_demo`).
        overrides: for all variants, as of `load_config`; what a variant changes stays.

    Raises:
        UserError: as `load_config`, naming the file and the variant.
    """
    path = find_config(path, below=FOLDER)
    written = read_section(path, AblationConfig)
    if len(written.variants) < 2:
        raise UserError(f"{path}: variants must be at least two, the baseline first")
    check_names(path, "variants", written.variants)
    base = find_config(written.base, relative_to=path.parent)
    shared = [*own_overrides(written.settings, f"{path}: settings"), *overrides]
    variants, changes = {}, {}
    for name, content in written.variants.items():
        origin = f"{path}: variants.{name}"
        own = own_overrides({} if content is None else content, origin, CHANGED)
        config = load_config(base, [*shared, *own, Override("name", name, origin)])
        variants[name] = dataclasses.replace(config, source=str(path))
        changes[name] = {change.key: change.value for change in own}
    return Ablation(path.stem, written.question, variants, changes)


def read_section(path: Path, kind: type[T]) -> T:
    """Reads a file that is one section, such as `AblationConfig`."""
    content = {str(key): value for key, value in read_mapping(path).items()}
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in content:
        if key not in known:
            raise UserError(f"{path}: unknown key {shown(key)}{nearest(key, known)}")
    try:
        return kind(**content)
    except SettingError as error:
        raise UserError(f"{path}: {error}") from None


def check_names(path: Path, key: str, names: Iterable[str]) -> None:
    """Raises a `UserError` for names that no run folder can have."""
    for name in names:
        if problem := name_problem(name):
            raise UserError(f"{path}: {key}: a name {problem}")


def own_overrides(
    content: Any, origin: str, sections: tuple[str, ...] | None = None
) -> list[Override]:
    """Sections of keys as overrides, of these sections alone."""
    if not isinstance(content, Mapping):
        raise UserError(f"{origin}: must hold sections such as model, found {shown(content)}")
    result = []
    for name, values in content.items():
        if sections is not None and name not in sections:
            raise UserError(
                f"{origin}: changes {shown(name)}; variants may change {', '.join(sections)}, and "
                "what holds for all stands in 'settings'"
            )
        if isinstance(values, Mapping):
            result += [Override(f"{name}.{key}", value, origin) for key, value in values.items()]
        else:
            result.append(Override(str(name), values, origin))
    return result
