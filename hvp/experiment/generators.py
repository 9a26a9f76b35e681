"""Averaged generators alone, kept beside a run's checkpoints: `model/generators/ckpt-STEP`.

They are a fraction of a checkpoint's size and all of them stay, so that a run can be judged
afterwards at many steps.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import tensorflow as tf

from hvp.experiment.checkpoint_files import CheckpointFiles
from hvp.experiment.folder import MODEL_FOLDER

GENERATORS_FOLDER = "generators"
AVERAGE = "average."  # how the names of the averaged generator's variables begin


def generator_variables(named: dict[str, Any]) -> dict[str, Any]:
    """Those of a model's variables by name that its averaged generator has."""
    return {name: variable for name, variable in named.items() if name.startswith(AVERAGE)}


def save_generator(folder: Path, named: dict[str, Any], step: int) -> None:
    """Writes the averaged generator of `step`.

    Args:
        folder: of the run.
        named: the model's variables by name.
    """
    variables = generator_variables(named)
    checkpoint = tf.train.Checkpoint(model=variables, step=tf.Variable(step, dtype=tf.int64))
    files = _files(folder)
    files.write(checkpoint, step)
    files.keep(files.steps())


def find_generators(folder: Path, checkpoint: str | int) -> tuple[CheckpointFiles, int] | None:
    """The generators of a run, if one was kept at this step and a whole checkpoint was not."""
    if not re.fullmatch(r"\d{1,18}", str(checkpoint)):
        return None
    step, files = int(checkpoint), _files(folder)
    if step in CheckpointFiles(folder / MODEL_FOLDER).steps() or step not in files.steps():
        return None
    return files, step


def _files(folder: Path) -> CheckpointFiles:
    return CheckpointFiles(folder / MODEL_FOLDER / GENERATORS_FOLDER)
