"""Benchmarks: several families on the same data and protocol, and what others have reported."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from hvp.config.ablation import check_names, own_overrides, read_section
from hvp.config.experiment import ExperimentConfig
from hvp.config.fields import section
from hvp.config.mistakes import shown
from hvp.config.parsing import Override
from hvp.config.reading import load_config
from hvp.config_files import find_config
from hvp.errors import UserError

FOLDER = "benchmarks"  # of the packaged configurations
REPORTED_KEYS = ("model", "source", "protocol", "values")


@section(frozen=True)
class BenchmarkConfig:
    """A file of `configs/benchmarks`."""

    question: str
    """What the benchmark is about; heads its page."""
    models: dict[str, Any]
    """Name -> `base`, a file or the name of a packaged one, and sections of keys that differ."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Sections of keys that differ from their bases in all models alike: data and evaluation."""
    reported: list[Any] = field(default_factory=list)
    """Rows of the literature: model, source, protocol (section.key: value, or {not: value}) and
    values."""
    measured_on: str = ""
    """How the names of the test videos begin that these were measured on."""
    law: bool = False
    """Whether samples are read against the law of forking_shapes, too."""


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A benchmark whose models are resolved.

    Attributes:
        name: the file's.
        question: as in the file.
        experiments: name -> experiment of that name.
        bases: name -> the configuration that it starts from.
        reported: rows of the literature, all by the experiments' protocol.
        measured_on: as in the file.
        law: as in the file.
    """

    name: str
    question: str
    experiments: dict[str, ExperimentConfig]
    bases: dict[str, str]
    reported: list[dict[str, Any]]
    measured_on: str
    law: bool


def load_benchmark(path: str | Path, overrides: Iterable[str | Override] = ()) -> Benchmark:
    """Reads a benchmark and resolves its models.

    Args:
        path: a YAML file, or the name of a packaged one (`forking_shapes_small`).
        overrides: for all models, as of `load_config`.

    Raises:
        UserError: as `load_config`, naming the file and the model; and for a reported row of
            another protocol.
    """
    path = find_config(path, below=FOLDER)
    written = read_section(path, BenchmarkConfig)
    check_names(path, "models", written.models)
    shared = [*own_overrides(written.settings, f"{path}: settings"), *overrides]
    experiments, bases = {}, {}
    for name, content in written.models.items():
        origin = f"{path}: models.{name}"
        if not isinstance(content, Mapping) or not isinstance(content.get("base"), str):
            raise UserError(
                f"{origin}: must name the configuration that it starts from: base: NAME"
            )
        own = {key: value for key, value in content.items() if key != "base"}
        bases[name] = content["base"]
        config = load_config(
            find_config(content["base"], relative_to=path.parent),
            [*shared, *own_overrides(own, origin), Override("name", name, origin)],
        )
        experiments[name] = dataclasses.replace(config, source=str(path))
    first = next(iter(experiments.values()))
    reported = [_reported(row, first, f"{path}: reported") for row in written.reported]
    return Benchmark(
        name=path.stem,
        question=written.question,
        experiments=experiments,
        bases=bases,
        reported=reported,
        measured_on=written.measured_on,
        law=written.law,
    )


def _reported(row: Any, config: ExperimentConfig, origin: str) -> dict[str, Any]:
    """A row of the literature, if its protocol is that of `config`."""
    if not isinstance(row, Mapping) or set(row) != set(REPORTED_KEYS):
        raise UserError(f"{origin}: a row has {', '.join(REPORTED_KEYS)}; found {shown(row)}")
    origin = f"{origin}: {row['model']}"
    for kind in ("protocol", "values"):
        if not isinstance(row[kind], Mapping) or not row[kind]:
            raise UserError(f"{origin}: {kind} must hold keys, found {shown(row[kind])}")
    for key, value in row["protocol"].items():
        name, _, setting = str(key).partition(".")
        ours = getattr(getattr(config, name, None), setting, None)
        if not hasattr(getattr(config, name, None), setting):
            raise UserError(f"{origin}: protocol: unknown key {shown(key)}")
        excluded = isinstance(value, Mapping) and list(value) == ["not"]
        if (ours == value["not"]) if excluded else (ours != value):
            reported = f"not {value['not']!r}" if excluded else repr(value)
            raise UserError(
                f"{origin}: was reported with {key} {reported}, this benchmark has {ours!r}; "
                "numbers of other protocols do not compare"
            )
    return dict(row)
