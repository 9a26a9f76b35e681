"""Keras' callbacks in our loop, and stopping where validation gets no better.

What Keras calls an epoch is the stretch of updates from one validation to the next, or, without
validation, of `training.log_every`.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from hvp.config import TrainingConfig
from hvp.errors import UserError
from hvp.experiment.checkpoint_files import read_json
from hvp.experiment.checkpoints import writing_run
from hvp.files import replacing
from hvp.models.base import VideoModel

# Name in `training.callbacks` -> where the class is, and what to install for it.
KNOWN = {
    "CSVLogger": ("keras.callbacks:CSVLogger", ""),
    "ReduceLROnPlateau": ("keras.callbacks:ReduceLROnPlateau", ""),
    "wandb": ("hvp.training.trackers:wandb_logger", "wandb"),
    "mlflow": ("hvp.training.trackers:mlflow_logger", "mlflow"),
}
RECORD_FILE = "validation.json"


def make_callbacks(training: TrainingConfig, folder: Path) -> list[keras.callbacks.Callback]:
    """The callbacks that `training.callbacks` names, with its arguments.

    Args:
        folder: of the run; CSVLogger writes there, and goes on.

    Raises:
        UserError: for arguments that a callback does not take, and a package that is not here.
    """
    return [
        _made(name, dict(given), folder, training) for name, given in training.callbacks.items()
    ]


def _made(
    name: str, given: dict[str, Any], folder: Path, training: TrainingConfig
) -> keras.callbacks.Callback:
    reference, package = KNOWN[name]
    module, _, attribute = reference.partition(":")
    callback = getattr(importlib.import_module(module), attribute)
    if name == "CSVLogger":
        given["filename"] = str(folder / given.get("filename", "log.csv"))
        given.setdefault("append", True)
    if package:
        given |= {"folder": folder, "training": training}
    try:
        return callback(**given)
    except ImportError as error:
        raise UserError(
            f"training.callbacks: {name} needs {package}: pip install {package} ({error})"
        ) from error
    except Exception as error:  # those of other packages raise anything
        raise UserError(f"training.callbacks: {name}: {' '.join(str(error).split())}") from error


class Callbacks:
    """The callbacks of a session of training; nothing happens without any.

    Args:
        callbacks: of `training.callbacks` and of `train(callbacks=...)`.
        model: after `configure_training`.
        steps: of an epoch.
        total: updates of the run.

    Raises:
        UserError: if one would set a learning rate that follows a schedule.
    """

    def __init__(
        self,
        callbacks: Sequence[keras.callbacks.Callback],
        model: VideoModel,
        steps: int,
        total: int,
    ):
        sets_rate = (keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler)
        rate = getattr(model.optimizer, "_learning_rate", None)
        if callable(rate) and any(isinstance(callback, sets_rate) for callback in callbacks):
            raise UserError(
                "training.callbacks: ReduceLROnPlateau sets the learning rate, which follows a "
                "schedule; --set training.schedule=constant --set training.warmup_steps=0"
            )
        self.model, self.steps = model, steps
        self.active = bool(callbacks)
        self._sums: dict[str, float] = {}
        self._count = 0
        model.stop_training = False
        self._list = keras.callbacks.CallbackList(list(callbacks), model=model)
        self._list.set_params({"epochs": -(-total // steps), "steps": steps, "verbose": 0})

    def begin(self, step: int) -> None:
        """Before the update after `step`, the first of the session."""
        self._list.on_train_begin()
        self._list.on_epoch_begin(step // self.steps)

    def updated(self, step: int, scalars: dict[str, float]) -> None:
        """After an update, which gave `scalars`."""
        self._list.on_train_batch_end((step - 1) % self.steps, scalars)
        self._count += 1
        for name, value in scalars.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def epoch_over(self, step: int, validation: dict[str, float]) -> None:
        """At the end of an epoch, with the scalars of its validation."""
        if not self.active or not self._count:
            return
        logs = {name: value / self._count for name, value in self._sums.items()}
        logs |= {f"val_{name}": value for name, value in validation.items()}
        self._sums, self._count = {}, 0
        self._list.on_epoch_end((step - 1) // self.steps, logs)
        self._list.on_epoch_begin(step // self.steps)

    def end(self) -> None:
        """After the last update of the session."""
        self._list.on_train_end()

    @property
    def want_to_stop(self) -> bool:
        """Whether one of them has set `model.stop_training`."""
        return bool(self.model.stop_training)


class ValidationRecord:
    """What every validation of a run gave, in `validation.json`; later steps than `step` go.

    Args:
        folder: of the run.
        step: that the session goes on from.
    """

    def __init__(self, folder: Path, step: int):
        self.path = folder / RECORD_FILE
        found = read_json(self.path)
        rows = found if isinstance(found, list) else []
        self.rows = [row for row in rows if isinstance(row, dict) and row.get("step", 0) <= step]

    def add(self, step: int, scalars: dict[str, float]) -> None:
        """Writes down the validation of `step`."""
        self.rows = [row for row in self.rows if row["step"] != step]
        self.rows.append({"step": step, **scalars})
        with writing_run(self.path.parent), replacing(self.path) as temporary:
            temporary.write_text(json.dumps(self.rows), encoding="utf-8")

    def is_patience_over(self, early_stopping: dict[str, Any] | None) -> bool:
        """Whether the last `patience` validations did not lower the lowest value before them."""
        if early_stopping is None or not self.rows:
            return False
        metric, patience = early_stopping["metric"], early_stopping["patience"]
        values = [row[metric] for row in self.rows if metric in row]
        if not values:
            known = ", ".join(key for key in self.rows[-1] if key != "step")
            raise UserError(
                f"training.early_stopping: metric is {metric!r}; validation reports {known}"
            )
        return len(values) - 1 - values.index(min(values)) >= patience
