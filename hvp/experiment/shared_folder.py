"""A trained model as it is passed on: `config.yml`, `weights.npz` and `preset.json` in a folder.

`weights.npz` holds the model's variables by name, rounded to float16 or as they are; `preset.json`
says of what run they are, and their SHA-256. Nothing in it is pickled. Importing this module does
not import TensorFlow.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hvp.config import ExperimentConfig
from hvp.errors import UserError, writing
from hvp.families import FAMILIES
from hvp.files import file_sha256, replacing
from hvp.named_weights import assign_by_name

if TYPE_CHECKING:
    from hvp.models.base import VideoModel

WEIGHTS_FILE = "weights.npz"
RECORD_FILE = "preset.json"
FORMAT = 1
PRECISIONS = ("float16", "float32")
AVERAGE = "average."  # a generator's averaged weights are all that it generates by
NOT_WEIGHTS = "seed_generator_state"  # nothing here draws from Keras' generators


def is_shared(folder: Path) -> bool:
    """Whether a folder holds a model that was shared, rather than a run."""
    return (folder / WEIGHTS_FILE).is_file()


def shared_variables(model: VideoModel, named: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a model's variables by name that are passed on: what it predicts or generates by."""
    average = {name: v for name, v in named.items() if name.startswith(AVERAGE)}
    return average or {n: v for n, v in named.items() if not n.endswith(NOT_WEIGHTS)}


def write_weights(variables: Mapping[str, Any], folder: Path, precision: str) -> dict[str, Any]:
    """Writes `weights.npz`; returns what `preset.json` says of it.

    Args:
        variables: by name.
        precision: of `PRECISIONS`, in which floats are stored.

    Raises:
        UserError: for values that `precision` cannot hold, and if it cannot be written.
    """
    arrays: dict[str, Any] = {}
    for name, variable in variables.items():
        exact = np.asarray(variable)
        floats = np.issubdtype(exact.dtype, np.floating)
        with np.errstate(over="ignore"):
            arrays[name] = exact.astype(precision) if floats else exact
        if not np.all(np.isfinite(arrays[name])):
            raise UserError(f"{name} holds values beyond {precision}; choose --precision float32")
    path = folder / WEIGHTS_FILE
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return {
        "file": WEIGHTS_FILE,
        "sha256": file_sha256(path),
        "bytes": path.stat().st_size,
        "precision": precision,
        "values": int(sum(array.size for array in arrays.values())),
    }


def write_record(record: Mapping[str, Any], folder: Path) -> None:
    """Writes `preset.json`."""
    with writing(folder):
        text = json.dumps({"format": FORMAT, **record}, indent=1, default=str)
        (folder / RECORD_FILE).write_text(text + "\n", encoding="utf-8")


def read_record(folder: Path) -> dict[str, Any]:
    """The content of `preset.json`.

    Raises:
        UserError: if it is missing, no JSON, or of another format.
    """
    path = folder / RECORD_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is no JSON ({error}); fetch the folder again") from error
    weights = record.get("weights") if isinstance(record, dict) else None
    if not isinstance(weights, dict) or not isinstance(weights.get("sha256"), str):
        raise UserError(f"{path}: does not say what its weights are; fetch the folder again")
    if record.get("format") != FORMAT:
        raise UserError(
            f"{path}: has format {record.get('format')!r}, this hvp reads {FORMAT}; update hvp"
        )
    return record


def require_shared(folder: Path, config: ExperimentConfig, checkpoint: str | int) -> dict[str, Any]:
    """The record of a shared folder whose weights are the recorded ones.

    Raises:
        UserError: if they are not, if another family's configuration lies beside them, or if a
            `checkpoint` other than `latest` is asked for.
    """
    record, path = read_record(folder), folder / WEIGHTS_FILE
    if str(checkpoint) != "latest":
        raise UserError(f"{folder}: holds one set of weights; leave --checkpoint {checkpoint} out")
    if record.get("family") != config.model.family:
        raise UserError(
            f"{folder}: {RECORD_FILE} is of the family {record.get('family')}, the configuration "
            f"beside it of {config.model.family}"
        )
    if file_sha256(path) != record["weights"]["sha256"]:
        raise UserError(
            f"{path}: is not the file that {RECORD_FILE} names (its SHA-256 differs); fetch the "
            "folder again"
        )
    return record


def load_weights(model: VideoModel, named: Mapping[str, Any], folder: Path) -> None:
    """Assigns the weights of a shared folder to a model.

    Args:
        named: the model's variables by name.

    Raises:
        UserError: if the file cannot be read, or names, shapes or kinds of values differ.
    """
    path = folder / WEIGHTS_FILE
    wanted = shared_variables(model, named)
    try:
        with np.load(path, allow_pickle=False) as archive:
            stored = {name: archive[name] for name in archive.files if name in wanted}
            extra = sorted(set(archive.files) - set(wanted))
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise UserError(f"{path}: cannot be read ({error}); fetch the folder again") from error
    if extra:
        raise UserError(f"{path}: holds {extra[0]}, which this model does not have")
    for name, array in stored.items():
        if np.issubdtype(array.dtype, np.floating) and not np.all(np.isfinite(array)):
            raise UserError(f"{path}: {name} holds NaN or Inf; fetch the folder again")
    try:
        assign_by_name(wanted, {n: a.astype(wanted[n].dtype) for n, a in stored.items()})
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def is_generator(config: ExperimentConfig) -> bool:
    """Whether a configuration is of a family that generates."""
    return FAMILIES[config.model.family].generates
