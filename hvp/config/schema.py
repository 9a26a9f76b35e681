"""JSON schema of configuration files, for editors and other programs."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, TypeAdapter, create_model

from hvp.config.experiment import ExperimentConfig
from hvp.config.sections import DataConfig, EvaluationConfig, TrainingConfig
from hvp.families import FAMILIES, model_config_class

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(family: str | None = None) -> dict[str, Any]:
    """The JSON schema of a configuration file.

    Args:
        family: whose `model` section is meant; `None`: that of any family.

    Returns:
        A schema in plain values. It knows types, ranges and unknown keys; what several settings
        must have in common, `load_config` alone checks.
    """
    families = list(FAMILIES) if family is None else [family]
    model: Any = model_config_class(families[0])
    for other in families[1:]:
        model = model | model_config_class(other)
    own = TypeAdapter(ExperimentConfig).json_schema()["properties"]
    sections = {
        "data": DataConfig,
        "model": model,
        "training": TrainingConfig,
        "evaluation": EvaluationConfig,
    }
    fields: dict[str, Any] = {name: (section | None, None) for name, section in sections.items()}
    base = Field(None, description="The file that this one starts from, or a packaged one's name.")
    file = create_model(
        "Experiment", __config__=ConfigDict(extra="forbid"), base=(str | None, base), **fields
    )
    schema = file.model_json_schema()
    for name in ("seed", "name"):
        schema["properties"] = {name: own[name], **schema["properties"]}
    return {"$schema": DIALECT, **schema}


def descriptions(section: type) -> dict[str, str]:
    """What each key of a section's class means."""
    return {
        key: setting.get("description", "")
        for key, setting in TypeAdapter(section).json_schema()["properties"].items()
    }
