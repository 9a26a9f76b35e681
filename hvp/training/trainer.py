"""Training an experiment: any family's `train_step` through `strategy.run`, resumable anywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

from hvp.config import ExperimentConfig, TrainingConfig
from hvp.data.sources import validation_videos
from hvp.data.video_split import VideoSplit
from hvp.experiment.checkpoints import RunCheckpoints, build_checked_model
from hvp.experiment.folder import clear_leftovers, make_run_folder, open_run_folder
from hvp.experiment.lock import only_process
from hvp.experiment.starts import add_start
from hvp.families import FAMILIES
from hvp.training.callbacks import Callbacks, ValidationRecord, make_callbacks
from hvp.training.checks import check_alone, check_settings, check_window, later_problems, resolved
from hvp.training.cluster import Cluster
from hvp.training.distribution import check_batch_size, make_strategy, synchronize_batch_norms
from hvp.training.loop import Loop, Run
from hvp.training.multiworker import check_same_step, find_cluster, together
from hvp.training.schedules import make_schedule
from hvp.training.signals import Interrupted

__all__ = ["Interrupted", "train"]


def train(
    config: ExperimentConfig,
    logdir: str | Path = "logs",
    report: Callable[[str], None] = print,
    cluster: Cluster | None = None,
    checkpoint: str | int = "latest",
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Path:
    """Trains the experiment, or goes on with it, into `logdir/NAME`.

    The result is a function of the configuration: data order and noise follow from `config.seed`
    and the number of updates made, so an interrupted run that is started again ends equal to one
    that was not interrupted.

    Args:
        config: a resolved experiment.
        logdir: parent of the run's folder.
        report: called with each line for the user.
        cluster: the workers of a multi-worker run; by default those of the environment, see
            `hvp.training.cluster.make_cluster`.
        checkpoint: to go on from: `latest`, `best` or the step of one that was kept. Later ones go
            when the next one is written.
        callbacks: Keras', besides those of `training.callbacks`. Their epochs end with each
            validation; their own state is not in checkpoints.

    Returns:
        The run's folder: `config.yml`, `starts.jsonl`, `model/`, `train/` and `val/`.

    Raises:
        UserError: for data, folder, device or checkpoint problems, and when the loss or the
            gradient is not finite (the last good checkpoint is kept).
        Interrupted: after SIGINT or SIGTERM, once a checkpoint is written.
    """
    folder = Path(logdir) / config.name
    config = resolved(config, folder, report)
    check_settings(config)
    cluster = find_cluster(config, cluster)
    with _own_folder(folder, cluster), numerics(config.training):
        open_run_folder(config, logdir, write=_is_chief(cluster))
        with together(cluster, folder, config.training.worker_timeout, report):
            _train(config, folder, report, checkpoint, cluster, callbacks)
    return folder


def _is_chief(cluster: Cluster | None) -> bool:
    return cluster is None or cluster.is_chief


@contextmanager
def _own_folder(folder: Path, cluster: Cluster | None) -> Iterator[None]:
    """Holds the lock of the run's folder, if this process is the one that writes there."""
    make_run_folder(folder)
    if not _is_chief(cluster):
        yield
        return
    with only_process(folder, "trains"):
        clear_leftovers(folder)
        yield


def _train(
    config: ExperimentConfig,
    folder: Path,
    report: Callable[[str], None],
    checkpoint: str | int,
    cluster: Cluster | None,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    training = config.training
    strategy = make_strategy(training.strategy)
    check_batch_size(training.batch_size, strategy, "training.batch_size")
    splits = {name: VideoSplit(config.data, name, seed=config.seed) for name in ("train", "val")}
    per_epoch = max(1, math.ceil(splits["train"].num_windows / training.batch_size))
    total = training.steps if training.steps is not None else training.epochs * per_epoch
    with strategy.scope():
        model = build_checked_model(config)
        check_window(config, model)
        if training.sync_batch_norm and strategy.num_replicas_in_sync > 1:
            synchronize_batch_norms(model)
        model.configure_training(training, make_schedule(training, total))
        checkpoints = RunCheckpoints(folder, model, training.keep_checkpoints)
    steps = training.validate_every or training.log_every
    watching = Callbacks([*make_callbacks(training, folder), *callbacks], model, steps, total)
    check_alone(training, watching, cluster)
    run = Run(config, strategy, model, checkpoints, splits, folder, report, watching)
    step = checkpoints.restore(checkpoint, report)
    check_same_step(strategy, step, folder)
    _describe(run)
    done = f", going on from step {step}" if step else ""
    report(f"steps: {total} of {training.batch_size} windows, {per_epoch} an epoch{done}")
    if ValidationRecord(folder, step).is_patience_over(training.early_stopping):
        report("nothing left to do: training.early_stopping has stopped this run")
        return
    if step >= total:
        report("nothing left to do: raise training.epochs or training.steps to train longer")
        return
    if _is_chief(cluster):
        for problem in later_problems(config, model):
            report(f"note: as it is configured, the evaluation will not do: {problem}")
        add_start(folder, step)
    Loop(run).run(step, total)
    following = (
        f"generate videos with python -m hvp generate --logdir {folder}"
        if FAMILIES[config.model.family].generates
        else f"evaluate with python eval_with_lpips.py --logdir {folder}/model"
    )
    report(f"done: {folder}; {following}")


def _describe(run: Run) -> None:
    config, train_split = run.config, run.splits["train"]
    replicas = run.strategy.num_replicas_in_sync
    device = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    run.report(f"run: {run.folder}")
    run.report(
        f"model: {config.model.family}, {run.model.count_params():,} parameters, "
        f"{replicas} {device} replica{'s' if replicas > 1 else ''}, {config.training.precision}"
    )
    run.report(
        f"data: {config.data.dataset}, {train_split.num_windows} training windows of "
        f"{train_split.seq_len} frames, {run.splits['val'].num_windows} for validation, of "
        f"{validation_videos(config.data)}"
    )
    if config.training.validate_every and validation_videos(config.data) == "test":
        run.report(
            "note: there is no val, so model/best is chosen by the test split; "
            "data.validation_share holds out training videos instead"
        )


@contextmanager
def numerics(training: TrainingConfig) -> Iterator[None]:
    """The precision that `training` asks for, of models that are made and run in it."""
    before = keras.mixed_precision.global_policy()
    tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
    keras.mixed_precision.set_global_policy(training.precision)
    tf.config.experimental.enable_tensor_float_32_execution(training.tf32)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)
        tf.config.experimental.enable_tensor_float_32_execution(tf32)
