"""The model families by name. Importing this module does not import TensorFlow."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any, NamedTuple


class Family(NamedTuple):
    """Where a family lives: `module:ConfigDataclass` and `module:VideoModelSubclass`.

    `generates` tells generators, which draw videos from nothing, from predictors.
    """

    config: str
    model: str
    generates: bool = False


FAMILIES: dict[str, Family] = {
    "hierarchical": Family(
        config="hvp.models.hierarchical.config:HierarchicalConfig",
        model="hvp.models.hierarchical.model:HierarchicalModel",
    ),
    "sdfnet": Family(
        config="hvp.models.sdfnet.config:SDFNetConfig", model="hvp.models.sdfnet.model:SDFNet"
    ),
    "dfdnet": Family(
        config="hvp.models.dfdnet.config:DFDNetConfig", model="hvp.models.dfdnet.model:DFDNet"
    ),
    "fusion": Family(
        config="hvp.models.fusion.config:FusionConfig", model="hvp.models.fusion.model:FusionModel"
    ),
    "motion_gan": Family(
        config="hvp.models.motion_gan.config:MotionGANConfig",
        model="hvp.models.motion_gan.model:MotionGAN",
        generates=True,
    ),
}


def _load(reference: str) -> type:
    module, name = reference.split(":")
    return getattr(importlib.import_module(module), name)


def model_config_class(family: str) -> type:
    """The dataclass of the `model` section of `family`."""
    return _load(FAMILIES[family].config)


def model_class(family: str) -> type:
    """The `VideoModel` subclass of `family` (imports TensorFlow)."""
    return _load(FAMILIES[family].model)


def plain_settings(config: Any) -> dict[str, Any]:
    """The keys of a `model` section and their values, without `family`.

    Args:
        config: a dataclass, or a model of pydantic's.
    """
    values = dataclasses.asdict(config) if dataclasses.is_dataclass(config) else config.model_dump()
    values.pop("family", None)
    return values
