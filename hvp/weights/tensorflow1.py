"""Reads TensorFlow 1 checkpoints, optimizer state included."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from hvp.errors import UserError
from hvp.named_weights import assign_by_name
from hvp.weights.hierarchical import OPTIMIZER_SCOPE


def checkpoint_prefix(checkpoint: str | Path) -> str:
    """The prefix of the checkpoint in a folder, or of the one that a prefix or index file names."""
    path = Path(checkpoint)
    if path.is_dir():
        indices = sorted(path.glob("*.index"))
        named = tf.train.latest_checkpoint(str(path))
        if named is None and len(indices) == 1:
            named = str(indices[0].with_suffix(""))
        if named is None and (path / "model").is_dir():
            return checkpoint_prefix(path / "model")
        if named is None:
            raise UserError(
                f"{path}: no checkpoint there; expected a 'checkpoint' file and "
                "model.ckpt.index, model.ckpt.data-00000-of-00001"
            )
        return named
    prefix = str(path).removesuffix(".index")
    if not Path(prefix + ".index").is_file():
        raise UserError(f"{path}: no such checkpoint; give its folder or its prefix")
    return prefix


def read_checkpoint(prefix: str) -> dict[str, np.ndarray]:
    """All variables of a TensorFlow checkpoint by name."""
    try:
        reader = tf.train.load_checkpoint(prefix)
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{prefix}: cannot be read as a checkpoint ({str(error).splitlines()[0]}); is its data "
            "file complete?"
        ) from None


def split_optimizer(
    arrays: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], int]:
    """Divides a checkpoint's arrays into weights, optimizer state and the step count."""
    slots = {name: a for name, a in arrays.items() if name.startswith(OPTIMIZER_SCOPE)}
    weights = {name: a for name, a in arrays.items() if name not in slots and name != "step"}
    return weights, slots, int(arrays.get("step", 0))


def load_adam(optimizer: Any, names: Mapping[str, Any], slots: Mapping[str, np.ndarray]) -> None:
    """Loads Adam's moments and step count, so that training goes on where it stopped.

    Args:
        optimizer: a built `keras.optimizers.Adam`.
        names: our variables by their original names.
        slots: the checkpoint's optimizer state by its original names.
    """
    scope = f"{OPTIMIZER_SCOPE}/"
    targets = {f"{scope}iter": optimizer.iterations}
    moments = {v.path: v for v in optimizer.variables}
    for name, variable in names.items():
        for slot, ours in (("m", "momentum"), ("v", "velocity")):
            targets[f"{scope}{name}/{slot}"] = _moment(moments, variable, ours)
    hyperparameters = {f"{scope}{key}" for key in ("learning_rate", "beta_1", "beta_2", "decay")}
    state = {name: array for name, array in slots.items() if name not in hyperparameters}
    assign_by_name(targets, state)


def _moment(moments: Mapping[str, Any], variable: Any, kind: str) -> Any:
    suffix = f"{variable.path.replace('/', '_')}_{kind}"
    return next(v for path, v in moments.items() if path.endswith(suffix))
