"""Nested plain values, in the layers that files and overrides give, to a checked experiment."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic.dataclasses import is_pydantic_dataclass

from hvp.config.experiment import ExperimentConfig
from hvp.config.fields import section
from hvp.config.memory import check_memory
from hvp.config.mistakes import SettingError, shown
from hvp.config.sections import DataConfig, EvaluationConfig, TrainingConfig
from hvp.config.yaml_text import parse_yaml
from hvp.errors import UserError
from hvp.families import FAMILIES, model_config_class
from hvp.text import nearest, shortened

DEFAULT_FAMILY = "hierarchical"
LONGEST_TOLD = 200  # characters of what users wrote, in messages


class Override(NamedTuple):
    """A value for one key, not written as YAML: a path may hold quotes, brackets and colons.

    Attributes:
        key: `section.key`.
        value: as YAML would give it.
        origin: what errors name, such as the flag `--datadir /data/kth`.
    """

    key: str
    value: Any
    origin: str


@dataclasses.dataclass(frozen=True)
class Layer:
    """What one file or one override says; later layers cover earlier ones.

    Attributes:
        origin: names it in errors.
        content: sections of keys, as YAML gives them.
        base: whether it is a file that the user's own file starts from.
    """

    origin: str
    content: Mapping[Any, Any]
    base: bool = False

    def says(self, section: str, key: str | None = None) -> bool:
        """Whether it holds `section.key`, or the section at all."""
        if section not in self.content:
            return False
        held = self.content[section]
        return key is None or (isinstance(held, Mapping) and key in held)


def parse_config(
    content: Mapping[str, Any], origin: str, overrides: Iterable[str | Override] = ()
) -> ExperimentConfig:
    """Checks nested plain values, as YAML gives them.

    Args:
        content: of a configuration file.
        origin: names their file in errors.
        overrides: as of `load_config`.

    Raises:
        UserError: as `load_config`.
    """
    return parse_layers([Layer(origin, content)], overrides)


def parse_layers(files: Sequence[Layer], overrides: Iterable[str | Override]) -> ExperimentConfig:
    """As `parse_config`, from several files: the base of all first, the file itself last."""
    changes = [_layer(override) for override in overrides]
    layers = [*files, *changes]
    content = merged(layer.content for layer in layers)
    sections = _section_classes(content, layers)
    for key in content:
        if key not in sections and key not in ("name", "seed"):
            known = nearest(_text(key), [*sections, "name", "seed", "base"])
            raise UserError(f"{_origin(layers, key)}: unknown key {shown(key)}{known}")
    values = {
        name: _section(name, section_class, content.get(name), layers)
        for name, section_class in sections.items()
    }
    values |= {key: content[key] for key in ("name", "seed") if key in content}
    config = _checked(lambda: ExperimentConfig(**values), name="", layers=layers)
    check_memory(config, _origins(layers, "data", "training", "evaluation"))
    return config


def merged(contents: Iterable[Mapping[Any, Any]]) -> dict[Any, Any]:
    """Overlays each on those before, section by section. A model of another family starts anew."""
    result: dict[Any, Any] = {}
    for content in contents:
        for key, value in content.items():
            old = result.get(key)
            if not isinstance(value, Mapping) or not isinstance(old, Mapping):
                result[key] = value
            elif key == "model" and value.get("family", old.get("family")) != old.get("family"):
                result[key] = dict(value)
            else:
                result[key] = {**old, **value}
    return result


def _layer(override: str | Override) -> Layer:
    if isinstance(override, str):
        override = _parsed(override)
    section, _, key = override.key.partition(".")
    above = {section: {key: override.value}} if key else {section: override.value}
    return Layer(override.origin, above)


def _parsed(text: str) -> Override:
    """`section.key=value` with the value in YAML."""
    key, equals, written = text.partition("=")
    parts = key.strip().split(".")
    origin = f"--set {shortened(text, LONGEST_TOLD)}"
    if not equals or len(parts) > 2 or not all(parts):
        raise UserError(f"{origin}: expected section.key=value, such as training.steps=100")
    if parts == ["base"]:
        raise UserError(f"{origin}: only files have a base; name another one by --config")
    return Override(key.strip(), parse_yaml(written, origin, of_file=False), origin)


def _origin(layers: Sequence[Layer], section: str, key: str | None = None) -> str:
    """Where a value that counts was written: in the last layer that says it."""
    for layer in reversed(layers):
        if layer.says(section, key):
            return layer.origin
    return layers[-1].origin


def _origins(layers: Sequence[Layer], *sections: str) -> str:
    """The user's own file, and every override that says something in these sections."""
    file, *changes = [layer for layer in layers if not layer.base]
    said = [layer.origin for layer in changes if any(layer.says(name) for name in sections)]
    return ", ".join([file.origin, *said])


def _section_classes(content: Mapping[Any, Any], layers: Sequence[Layer]) -> dict[str, type]:
    model = content.get("model")
    family = model.get("family", DEFAULT_FAMILY) if isinstance(model, Mapping) else DEFAULT_FAMILY
    if not isinstance(family, str) or family not in FAMILIES:
        known = nearest(_text(family), FAMILIES)
        origin = _origin(layers, "model", "family")
        raise UserError(f"{origin}: model.family is {shown(family)}{known}")
    return {
        "data": DataConfig,
        "model": model_config_class(family),
        "training": TrainingConfig,
        "evaluation": EvaluationConfig,
    }


def _section(name: str, section_class: type, values: Any, layers: Sequence[Layer]) -> Any:
    values = {} if values is None else values
    if not isinstance(values, Mapping):
        raise UserError(f"{_origin(layers, name)}: '{name}' must hold keys, found {shown(values)}")
    known = [field.name for field in dataclasses.fields(section_class)]
    for key in values:
        if key not in known:
            hint = nearest(_text(key), known, prefix=f"{name}.")
            found = shown(f"{name}.{_text(key)}")
            raise UserError(f"{_origin(layers, name, key)}: unknown key {found}{hint}")
    return _checked(_made, section_class, values, name=name, layers=layers)


def _text(key: Any) -> str:
    """A key as text to compare with others; YAML's keys may be anything."""
    return shortened(key, LONGEST_TOLD) if isinstance(key, str) else shown(key)


def _checked(make: Callable[..., Any], *arguments: Any, name: str, layers: Sequence[Layer]) -> Any:
    """What `make` gives; its `ValueError` becomes a line on section `name`, "" for the top."""
    try:
        return make(*arguments)
    except SettingError as error:
        if error.key is not None:
            where = (name, error.key) if name else (error.key,)
            origin = _origin(layers, *where)
            if error.kind == "type":
                raise UserError(f"{origin}: '{'.'.join(where)}' {error.problem}") from None
            raise UserError(f"{origin}: {f'{name}: ' if name else ''}{error}") from None
        message = str(error)
    except ValueError as error:  # the check that a plain dataclass makes of itself
        message = str(error)
    raise UserError(f"{_origins(layers, name)}: {name}: {message}")


def _made(section_class: Any, values: Mapping[str, Any]) -> Any:
    """An object of the section; a plain dataclass, as other packages may have, is checked too."""
    if not is_pydantic_dataclass(section_class):
        frozen = section_class.__dataclass_params__.frozen
        values = vars(section(frozen=frozen)(section_class)(**values))
    return section_class(**values)
