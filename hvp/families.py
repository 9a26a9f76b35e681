"""The model families by name. Importing this module does not import TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hvp.errors import UserError
from hvp.registry import Registry, load


class Family(NamedTuple):
    """Where a family lives.

    Attributes:
        config: the dataclass of its `model` section, with a field `family` that holds its name; or
            `module:Class`, which is imported when it is wanted.
        model: its `VideoModel` subclass, or `module:Class`.
        generates: tells generators, which draw videos from nothing, from predictors.
    """

    config: type | str
    model: type | str
    generates: bool = False


OWN: dict[str, Family] = {
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
    "simvp": Family(
        config="hvp.models.simvp.config:SimVPConfig", model="hvp.models.simvp.model:SimVP"
    ),
    "convlstm": Family(
        config="hvp.models.convlstm.config:ConvLSTMConfig",
        model="hvp.models.convlstm.model:ConvLSTM",
    ),
    "svg_lp": Family(
        config="hvp.models.svg_lp.config:SVGLPConfig", model="hvp.models.svg_lp.model:SVGLP"
    ),
    "motion_gan": Family(
        config="hvp.models.motion_gan.config:MotionGANConfig",
        model="hvp.models.motion_gan.model:MotionGAN",
        generates=True,
    ),
}


class Families(Mapping[str, Family]):
    """Families by name: the package's own, then registered ones, then those of installed packages.

    A package gives one by an entry point of the group `hvp.families` that refers to a `Family`.
    What a family's classes are is imported when they are asked for, and not before.
    """

    def __init__(self) -> None:
        self._others = Registry("model family", {}, group="hvp.families")

    def __getitem__(self, name: str) -> Family:
        """A family.

        Raises:
            KeyError: for an unknown name.
            UserError: for a name that several packages give, and a package that cannot be used.
        """
        if name not in self:
            raise KeyError(name)
        if name not in self._others.names():
            return OWN[name]
        if name in OWN:
            raise UserError(
                f"model.family is {name!r}, which hvp has and an installed package gives as well; "
                "rename or uninstall its (entry points of the group hvp.families)"
            )
        family = self._others.find(name, asked_by="model.family")
        if not isinstance(family, Family):
            raise UserError(f"model.family is {name!r}: {family!r} is no hvp.Family")
        return family

    def __contains__(self, name: object) -> bool:
        return name in OWN or name in self._others.names()

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*OWN, *self._others.names()]))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def register(self, name: str, family: Family) -> None:
        """See `register_family`."""
        if name in OWN:
            raise UserError(f"model family {name!r} is there already; choose another name")
        self._others.register(name, family)


FAMILIES = Families()


def register_family(
    name: str, config: type | str, model: type | str, generates: bool = False
) -> None:
    """Adds a model family for this process: `model.family` then knows its name.

    One that was registered before under this name is replaced, as a notebook's cell needs it. An
    installed package adds one for all processes, the command lines too, by an entry point of the
    group `hvp.families`: `NAME = "module:FAMILY"`, where `FAMILY` is a `Family`.

    Args:
        name: of letters, digits and `_`.
        config, model, generates: see `Family`.

    Raises:
        UserError: if the name is taken or no plain word.

    Example:
        >>> hvp.register_family("drift", config="drift:DriftConfig", model="drift:Drift")
    """
    FAMILIES.register(name, Family(config, model, generates))


def model_config_class(name: str) -> type:
    """The dataclass of the `model` section of a family.

    Raises:
        UserError: if it cannot be imported or cannot be such a section.
    """
    found = _class(name, "config")
    if "family" not in getattr(found, "__dataclass_fields__", ()):
        raise UserError(
            f"model.family is {name!r}: {found!r} is no dataclass with a field 'family'"
        )
    return found


def model_class(name: str) -> type:
    """The `VideoModel` subclass of a family (imports TensorFlow).

    Raises:
        UserError: if it cannot be imported.
    """
    return _class(name, "model")


def _class(name: str, part: str) -> type:
    reference = getattr(FAMILIES[name], part)
    if not isinstance(reference, str):
        return reference
    if name in OWN:
        return load(reference)
    try:
        return load(reference)
    except Exception as error:
        raise UserError(
            f"model.family is {name!r}: its {part} {reference} cannot be imported: "
            f"{type(error).__name__}: {error}"
        ) from error


def plain_settings(config: Any) -> dict[str, Any]:
    """The keys of a `model` section, a dataclass, and their values, without `family`."""
    values = dataclasses.asdict(config)
    values.pop("family", None)
    return values
