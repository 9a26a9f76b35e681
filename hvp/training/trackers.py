"""Weights & Biases and MLflow: a run of theirs for each session of training.

Their own Keras callbacks log; here a run is begun for them, unless one is active, and ended.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras

from hvp.config import TrainingConfig


def wandb_logger(folder: Path, training: TrainingConfig, **given: Any) -> keras.callbacks.Callback:
    """`WandbMetricsLogger`, with the run that it needs.

    Args:
        folder: of the run; its name is the group's, as every session is a run of its own.
        training: goes into the run's settings.
        **given: `log_freq` and `initial_global_step` are the callback's, others `wandb.init`'s.
    """
    import wandb
    from wandb.integration.keras import WandbMetricsLogger

    own = {key: given.pop(key) for key in ("log_freq", "initial_global_step") if key in given}
    begun = wandb.run is None
    if begun:
        settings = {"training": dataclasses.asdict(training)}
        usual = {"project": "hvp", "name": folder.name, "group": folder.name, "config": settings}
        wandb.init(**(usual | {"dir": str(folder)} | given))

    class Logger(WandbMetricsLogger):
        def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
            super().on_train_end(logs)
            if begun:
                wandb.finish()

    return Logger(**own)


def mlflow_logger(folder: Path, training: TrainingConfig, **given: Any) -> keras.callbacks.Callback:
    """`MlflowCallback`, within a run.

    Args:
        folder: of the run; names MLflow's.
        training: its values are parameters.
        **given: `experiment` is the name of MLflow's, others are the callback's.
    """
    import mlflow
    from mlflow.keras import MlflowCallback

    experiment = given.pop("experiment", None)
    begun = mlflow.active_run() is None
    if begun:
        if experiment is not None:
            mlflow.set_experiment(experiment)
        mlflow.start_run(run_name=folder.name)
        mlflow.log_params({f"training.{k}": v for k, v in dataclasses.asdict(training).items()})

    class Logger(MlflowCallback):  # type: ignore[misc]
        def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
            super().on_train_end(logs)
            if begun:
                mlflow.flush_async_logging()
                mlflow.end_run()

    return Logger(**given)
