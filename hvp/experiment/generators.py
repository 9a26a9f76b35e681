"""Averaged generators alone, kept beside a run's checkpoints: `model/generators/ckpt-STEP`.

They are a fraction of a checkpoint's size and all of them stay, so that a run can be judged
afterwards at many steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from hvp.experiment.folder import MODEL_FOLDER

PREFIX = "ckpt"  # as of whole checkpoints
GENERATORS_FOLDER = "generators"
AVERAGE = "average."  # how the names of the averaged generator's variables begin


def generator_variables(named: dict[str, Any]) -> dict[str, Any]:
    """Those of a model's variables by name that its averaged generator has."""
    return {name: variable for name, variable in named.items() if name.startswith(AVERAGE)}


def save_generator(folder: Path, named: dict[str, Any], step: int) -> str:
    """Writes the averaged generator of `step`; returns its prefix.

    Args:
        folder: of the run.
        named: the model's variables by name.
    """
    variables = generator_variables(named)
    checkpoint = tf.train.Checkpoint(model=variables, step=tf.Variable(step, dtype=tf.int64))
    target = folder / MODEL_FOLDER / GENERATORS_FOLDER
    manager = tf.train.CheckpointManager(
        checkpoint, str(target), max_to_keep=None, checkpoint_name=PREFIX
    )
    return manager.save(checkpoint_number=step)


def find_generator(folder: Path, checkpoint: str | int) -> str | None:
    """The prefix of a generator that was kept at this step, where there is no whole checkpoint."""
    name = f"{PREFIX}-{checkpoint}"
    if (folder / MODEL_FOLDER / f"{name}.index").is_file():
        return None
    prefix = folder / MODEL_FOLDER / GENERATORS_FOLDER / name
    return str(prefix) if prefix.with_name(f"{name}.index").is_file() else None
