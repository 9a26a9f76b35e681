"""One experiment: its sections together, as they are saved beside a run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticKnownError

from hvp.config.fields import AUTO, section
from hvp.config.sections import DataConfig, EvaluationConfig, TrainingConfig
from hvp.errors import writing
from hvp.text import name_problem


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise PydanticKnownError("string_type")
    if problem := name_problem(name):
        raise ValueError(problem)
    return name


@section(frozen=True)
class ExperimentConfig:
    """One experiment, fully resolved."""

    name: Annotated[str, PlainValidator(_name), WithJsonSchema({"type": "string"})]
    """Names the run's folder, LOGDIR/NAME; a file without one goes by its own name."""
    data: DataConfig
    """What the model sees."""
    model: Any
    """Settings of the family's own; model.family names it."""
    training: TrainingConfig
    """How to train."""
    evaluation: EvaluationConfig
    """Open-loop evaluation."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0  # as far as NumPy and Keras go
    """The one seed: initial weights, data order, noise."""
    source: str = dataclasses.field(default="", compare=False)
    """The file it was read from, for messages only."""

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dict of everything but `source`, ready for YAML."""
        resolved = dataclasses.asdict(self)
        del resolved["source"]
        for settings in (resolved["data"], resolved["evaluation"]):
            for key in ("context", "seq_len"):
                if settings.get(key) == AUTO:
                    settings[key] = "auto"
        return resolved

    def save(self, path: str | Path) -> None:
        """Writes the resolved configuration as YAML; `load_config(path)` gives an equal one."""
        with writing(path):
            Path(path).write_text(yaml.safe_dump(self.to_dict(), sort_keys=False), encoding="utf-8")

    def replace(self, section: str, **changes: Any) -> ExperimentConfig:
        """Returns a copy with some keys of one section changed."""
        changed = dataclasses.replace(getattr(self, section), **changes)
        return dataclasses.replace(self, **{section: changed})
