"""Typed experiment configuration: YAML files and `--set` overrides to checked dataclasses.

An experiment is `name`, `seed` and four sections: `data`, `model`, `training`, `evaluation`. The
dataclasses hold the defaults; `configs/base.yml` lists them all with comments. A configuration file
may name another one to start from (`base: base.yml`, relative to itself) and then holds only what
differs. The `model` section belongs to the family that `model.family` names.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from hvp.config_files import find_config
from hvp.errors import UserError, writing
from hvp.families import FAMILIES, model_config_class
from hvp.text import nearest


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """What the model sees. Frames are resized to `height` x `width` with `channels` 1 or 3."""

    dataset: str = "moving_mnist"
    datadir: str | None = None  # null: the data set's generator, where it has one
    height: int = 64
    width: int = 64
    channels: Literal[1, 3] = 1
    seq_len: int = 100  # frames per training window; videos are cut without overlap
    random_start: bool = False  # training windows start anywhere in their videos instead
    frame_step: int = 1  # every n-th frame of a video; windows have seq_len of these
    crop: Literal["none", "center"] = "none"  # how pictures get the proportions of height x width
    masks: bool = False  # segmentation masks beside the frames, where a data set has them
    max_video_len: int | None = None  # later frames of each video are not used
    unusable_videos: Literal["error", "skip"] = "error"  # broken or too short ones
    cache_dir: str | None = None  # decoded uint8 frames; null: the user's cache folder
    num_digits: int = 2  # generated Moving MNIST
    train_videos: int = 10000  # generated: fresh sequences per epoch
    test_videos: int = 1000  # generated: fixed test sequences

    def __post_init__(self) -> None:
        counts = ("height", "width", "seq_len", "frame_step", "max_video_len", "num_digits")
        _check_least(self, 1, *counts, "train_videos", "test_videos")


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How to train. `batch_size` counts examples over all replicas and workers."""

    batch_size: int = 50
    epochs: int = 60
    steps: int | None = None  # total updates; overrides epochs
    learning_rate: float = 1e-4  # the highest of the schedule
    schedule: Literal["constant", "cosine", "onecycle", "milestones"] = "constant"
    milestones: list[float] = dataclasses.field(default_factory=lambda: [0.3, 0.8])  # of the run
    milestone_factor: float = 0.1  # of the learning rate at each milestone
    warmup_steps: int = 0  # linear rise of all but onecycle
    adam_epsilon: float = 1e-4
    clip_norm: float | None = 10000.0  # global gradient norm
    strategy: Literal["auto", "cpu", "gpu", "mirrored", "multiworker"] = "auto"
    sync_batch_norm: bool = False  # over all replicas, so that N train as one would
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    xla: bool = False
    log_every: int = 100  # steps between TensorBoard scalars
    gifs_every: int = 1000  # steps between TensorBoard videos; 0: none
    gif_samples: int = 3
    validate_every: int = 1000
    validation_batches: int = 5
    checkpoint_every: int = 1000
    keep_checkpoints: int = 3
    best_metric: str = "loss"  # of the validation; the lowest is kept in model/best
    fvd_every: int = 0  # generators: steps between Fréchet video distances; 0: none
    fvd_protocol: str = "fvd2048_16f"  # see hvp.distances.protocols

    def __post_init__(self) -> None:
        _check_least(self, 1, "batch_size", "epochs", "steps", "log_every", "gif_samples")
        _check_least(self, 1, "checkpoint_every", "keep_checkpoints")
        _check_least(self, 0, "gifs_every", "validate_every", "validation_batches", "fvd_every")
        if not 0 <= self.learning_rate < math.inf:
            raise ValueError(f"learning_rate must be a number from 0, found {self.learning_rate}")
        if self.milestones != sorted(self.milestones) or not all(
            0 < share < 1 for share in self.milestones
        ):
            raise ValueError(
                f"milestones must be shares of the run in rising order, found {self.milestones}"
            )
        for key in ("adam_epsilon", "clip_norm", "milestone_factor"):
            value = getattr(self, key)
            if value is not None and not value > 0:
                raise ValueError(f"{key} must be above 0, found {value}")


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """Open-loop evaluation: `context` frames go in, `seq_len - context` are predicted."""

    context: int = 36
    seq_len: int = 300
    num_examples: int = 250
    num_samples: int = 1
    batch_size: int = 10
    protocol: str = "default"
    metrics: list[str] = dataclasses.field(
        default_factory=lambda: ["mse", "mae", "psnr", "ssim", "lpips"]
    )
    unusable_videos: Literal["error", "skip"] = "error"
    fvd_weights: str | None = None  # checkpoint of I3D; null: HVP_I3D_WEIGHTS, for training's FVD
    fvd_context: Literal["in", "out"] = "out"  # whether a prediction's FVD sees the context


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
    """One experiment, fully resolved.

    Attributes:
        name: names the run's folder, `logs/NAME`.
        seed: the one seed; data order, initial weights and sampling all follow from it.
        data, training, evaluation: see their classes.
        model: an instance of the family's own config dataclass; `model.family` names the family.
        source: the file it was read from, for messages only.
    """

    name: str
    data: DataConfig
    model: Any
    training: TrainingConfig
    evaluation: EvaluationConfig
    seed: int = 0
    source: str = dataclasses.field(default="", compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dict of everything but `source`, ready for YAML."""
        resolved = dataclasses.asdict(self)
        del resolved["source"]
        return resolved

    def save(self, path: str | Path) -> None:
        """Writes the resolved configuration as YAML; `load_config(path)` gives an equal one."""
        with writing(path):
            Path(path).write_text(yaml.safe_dump(self.to_dict(), sort_keys=False), encoding="utf-8")

    def replace(self, section: str, **changes: Any) -> ExperimentConfig:
        """Returns a copy with some keys of one section changed."""
        changed = dataclasses.replace(getattr(self, section), **changes)
        return dataclasses.replace(self, **{section: changed})


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


def load_config(path: str | Path, overrides: Iterable[str | Override] = ()) -> ExperimentConfig:
    """Reads a configuration file and applies overrides.

    Args:
        path: a YAML file, or the name of a packaged one (`kth`; see `find_config`). Its `base:`
            file, if it names one, is read first.
        overrides: strings `section.key=value`, the value in YAML (`training.batch_size=8`), or
            `Override`s.

    Raises:
        UserError: naming file and key, for a missing or malformed file, an unknown key (with the
            nearest valid one) or a value of the wrong type.

    Example:
        >>> config = hvp.load_config("configs/demo.yml", ["training.steps=10"])
        >>> config.training.steps
        10
    """
    path = find_config(path)
    content = _read_with_base(path, seen=())
    content.setdefault("name", path.stem)
    return dataclasses.replace(parse_config(content, str(path), overrides), source=str(path))


def parse_config(
    content: Mapping[str, Any], origin: str, overrides: Iterable[str | Override] = ()
) -> ExperimentConfig:
    """Checks nested plain values, as YAML gives them. `origin` names their file in errors."""
    parsed = [_parsed_override(override) for override in overrides]
    for override in parsed:
        section, _, key = override.key.partition(".")
        above = {section: {key: override.value}} if key else {section: override.value}
        content = _merge(content, above)
        sections = _section_classes(content, origin)
        _check_entry(section, content[section], sections, override.origin)
    sections = _section_classes(content, origin)
    values = {key: _check_entry(key, value, sections, origin) for key, value in content.items()}
    for section, section_class in sections.items():
        try:
            values[section] = section_class(**values.get(section, {}))
        except ValueError as error:  # a section's own check of its values
            origins = [origin, *(override.origin for override in parsed)]
            raise UserError(f"{', '.join(origins)}: {section}: {error}") from None
    name = values.get("name")
    if not name or Path(name).name != name:
        raise UserError(
            f"{origin}: name is {name!r}; it names the run's folder, so use a plain name without "
            "slashes"
        )
    return ExperimentConfig(**values)


def _section_classes(content: Mapping[str, Any], origin: str) -> dict[str, type]:
    model = content.get("model")
    family = model.get("family", "hierarchical") if isinstance(model, Mapping) else "hierarchical"
    if family not in FAMILIES:
        raise UserError(f"{origin}: model.family is {family!r}{nearest(str(family), FAMILIES)}")
    return {
        "data": DataConfig,
        "model": model_config_class(family),
        "training": TrainingConfig,
        "evaluation": EvaluationConfig,
    }


def _check_entry(key: str, value: Any, sections: Mapping[str, type], origin: str) -> Any:
    """A top-level entry with its types checked: a section as a dict of keyword arguments."""
    if key in sections:
        return _checked_keys(sections[key], value, key, origin)
    if key in ("name", "seed"):
        return _checked(value, {"name": str, "seed": int}[key], key, origin)
    raise UserError(
        f"{origin}: unknown key {key!r}{nearest(str(key), [*sections, 'name', 'seed', 'base'])}"
    )


def _read_with_base(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        nearby = [str(p) for p in sorted(path.parent.glob("*.yml"))] if path.parent.is_dir() else []
        raise UserError(f"{path}: no such configuration file{nearest(str(path), nearby)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a configuration file: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise UserError(f"{path}{where}: not valid YAML: {problem}") from None
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: expected sections such as 'data:' and 'model:', found {content!r}"
        )
    base = content.pop("base", None)
    if base is None:
        return content
    base_path = find_config(str(base), relative_to=path.parent).resolve()
    if base_path in seen or base_path == path.resolve():
        raise UserError(f"{path}: 'base: {base}' leads back to itself")
    return _merge(_read_with_base(base_path, (*seen, path.resolve())), content)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Overlays `above` on `below`, section by section. A model of another family starts afresh."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if key == "model" and value.get("family", old.get("family")) != old.get("family"):
                merged[key] = dict(value)
            else:
                merged[key] = {**old, **value}
        else:
            merged[key] = value
    return merged


def _check_least(section: Any, least: int, *keys: str) -> None:
    """Raises `ValueError` if one of these integers is below `least`; null passes."""
    for key in keys:
        value = getattr(section, key)
        if value is not None and value < least:
            raise ValueError(f"{key} must be at least {least}, found {value}")


def _parsed_override(override: str | Override) -> Override:
    if isinstance(override, Override):
        return override
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or len(parts) > 2 or not all(parts):
        raise UserError(f"--set {override}: expected section.key=value, such as training.steps=100")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f"--set {override}: the value {text!r} is not valid YAML") from None
    return Override(key.strip(), value, f"--set {override}")


def _checked_keys(section_class: type, value: Any, section: str, origin: str) -> dict[str, Any]:
    if value is None:
        value = {}
    if not isinstance(value, Mapping):
        raise UserError(f"{origin}: '{section}' must hold keys, found {value!r}")
    hints = typing.get_type_hints(section_class)
    checked = {}
    for key, item in value.items():
        if key not in hints:
            raise UserError(
                f"{origin}: unknown key '{section}.{key}'"
                f"{nearest(str(key), hints, prefix=section + '.')}"
            )
        checked[key] = _checked(item, hints[key], f"{section}.{key}", origin)
    return checked


def _checked(value: Any, hint: Any, key: str, origin: str) -> Any:
    """Returns `value` as the type `hint`, or raises a `UserError` that names the key."""
    matched, converted = _convert(value, hint)
    if not matched:
        raise UserError(f"{origin}: '{key}' must be {_describe(hint)}, found {value!r}")
    return converted


def _convert(value: Any, hint: Any) -> tuple[bool, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for option in arguments:
            matched, converted = _convert(value, option)
            if matched:
                return True, converted
        return False, None
    if origin is Literal:
        exact = any(value == option and type(value) is type(option) for option in arguments)
        return exact, value
    if origin in (list, tuple):
        if not isinstance(value, (list, tuple)):
            return False, None
        items = [_convert(item, arguments[0]) for item in value]
        return all(matched for matched, _ in items), origin(item for _, item in items)
    if origin is dict:
        if not isinstance(value, Mapping):
            return False, None
        pairs = [(_convert(k, arguments[0]), _convert(v, arguments[1])) for k, v in value.items()]
        matched = all(k[0] and v[0] for k, v in pairs)
        return matched, {k[1]: v[1] for k, v in pairs}
    if hint is types.NoneType:
        return value is None, None
    if hint is float:
        if isinstance(value, str):  # YAML 1.1 reads 1e-4 as a string
            try:
                return True, float(value)
            except ValueError:
                return False, None
        return isinstance(value, (int, float)) and not isinstance(value, bool), value
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool), value
    return isinstance(value, hint), value


def _describe(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_describe(option) for option in arguments)
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (list, tuple):
        return f"a list of {_describe(arguments[0])}"
    if origin is dict:
        return f"a mapping of {_describe(arguments[0])} to {_describe(arguments[1])}"
    names = {
        int: "an integer",
        float: "a number",
        bool: "true or false",
        str: "a string",
        types.NoneType: "null",
    }
    return names[hint]
