"""Typed experiment configuration: YAML files and `--set` overrides to checked dataclasses.

An experiment is `name`, `seed` and four sections: `data`, `model`, `training`, `evaluation`. The
dataclasses hold the defaults and say what each key means; `configs/base.yml` lists them all. A
configuration file may name another one to start from (`base: base.yml`, relative to itself) and
then holds only what differs. The `model` section belongs to the family that `model.family` names.
"""

from hvp.config.experiment import ExperimentConfig
from hvp.config.fields import AUTO
from hvp.config.parsing import Override, parse_config
from hvp.config.reading import load_config
from hvp.config.sections import DataConfig, EvaluationConfig, TrainingConfig

__all__ = [
    "AUTO",
    "DataConfig",
    "EvaluationConfig",
    "ExperimentConfig",
    "Override",
    "TrainingConfig",
    "load_config",
    "parse_config",
]
