"""The training loop: every family's `train_step` through `strategy.run`, resumable anywhere."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from hvp.config import ExperimentConfig
from hvp.data.dataset import VideoSplit, model_input
from hvp.drawing.training import prediction_frames, video_grid
from hvp.errors import UserError
from hvp.experiment.checkpoints import RunCheckpoints, build_checked_model, writing_run
from hvp.experiment.folder import open_run_folder
from hvp.families import FAMILIES
from hvp.models.base import VideoModel
from hvp.training.distribution import (
    check_batch_size,
    is_chief,
    make_strategy,
    replica_batches,
    synchronize_batch_norms,
)
from hvp.training.schedules import make_schedule
from hvp.training.summaries import RunSummaries, gif_context

MAX_GIF_VIDEOS = 4
GENERATED_VIDEOS = 9


class Interrupted(Exception):
    """Training was asked to stop by a signal, and has saved its state."""

    def __init__(self, signal_number: int, message: str):
        super().__init__(message)
        self.exit_code = 128 + signal_number


def train(
    config: ExperimentConfig,
    logdir: str | Path = "logs",
    report: Callable[[str], None] = print,
) -> Path:
    """Trains the experiment, or goes on with it, into `logdir/NAME`.

    The result is a function of the configuration: data order and noise follow from `config.seed`
    and the number of updates made, so an interrupted run that is started again ends equal to one
    that was not interrupted.

    Args:
        config: a resolved experiment.
        logdir: parent of the run's folder.
        report: called with each line for the user.

    Returns:
        The run's folder: `config.yml`, `model/`, `train/` and `val/`.

    Raises:
        UserError: for data, folder, device or checkpoint problems, and when the loss or the
            gradient is not finite (the last good checkpoint is kept).
        Interrupted: after SIGINT or SIGTERM, once a checkpoint is written.
    """
    training = config.training
    generates = FAMILIES[config.model.family].generates
    predicts = training.gifs_every and not generates
    if predicts and (config.evaluation.context < 1 or config.data.seq_len < 2):
        raise UserError(
            f"{config.source or config.name}: GIFs show predictions: evaluation.context must be at "
            f"least 1, found {config.evaluation.context}, and data.seq_len at least 2, found "
            f"{config.data.seq_len}; or set training.gifs_every to 0"
        )
    if training.generators_every and not generates:
        raise UserError(
            f"training.generators_every is {training.generators_every}: a {config.model.family} "
            "model predicts and does not generate; set it to 0"
        )
    if training.fvd_every:
        from hvp.distances.in_training import check_training_distance

        check_training_distance(config)
    folder = open_run_folder(config, logdir)
    strategy = make_strategy(training.strategy)
    check_batch_size(training.batch_size, strategy, "training.batch_size")
    train_split = VideoSplit(config.data, "train", seed=config.seed)
    val_split = VideoSplit(config.data, "val", seed=config.seed)
    per_epoch = max(1, math.ceil(train_split.num_windows / training.batch_size))
    total = training.steps if training.steps is not None else training.epochs * per_epoch
    with _precision(training.precision):
        with strategy.scope():
            model = build_checked_model(config)
            _check_window(config, model)
            if training.sync_batch_norm and strategy.num_replicas_in_sync > 1:
                synchronize_batch_norms(model)
            model.configure_training(training, make_schedule(training, total))
            checkpoints = RunCheckpoints(folder, model, training.keep_checkpoints)
        step = checkpoints.restore()
        replicas = strategy.num_replicas_in_sync
        device = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        report(f"run: {folder}")
        report(
            f"model: {config.model.family}, {model.count_params():,} parameters, "
            f"{replicas} {device} replica{'s' if replicas > 1 else ''}, {training.precision}"
        )
        report(
            f"data: {config.data.dataset}, {train_split.num_windows} training windows of "
            f"{train_split.seq_len} frames, {val_split.num_windows} for validation"
        )
        done = f", going on from step {step}" if step else ""
        report(f"steps: {total} of {training.batch_size} windows, {per_epoch} an epoch{done}")
        if step >= total:
            report("nothing left to do: raise training.epochs or training.steps to train longer")
            return folder
        loop = _Loop(config, strategy, model, checkpoints, train_split, val_split, folder, report)
        loop.run(step, total)
    following = (
        f"generate videos with python -m hvp generate --logdir {folder}"
        if generates
        else f"evaluate with python eval_with_lpips.py --logdir {folder}/model"
    )
    report(f"done: {folder}; {following}")
    return folder


def _check_window(config: ExperimentConfig, model: VideoModel) -> None:
    """Raises a `UserError` if the training windows, or the GIFs' contexts, are too short."""
    frames = config.data.seq_len
    if frames < model.min_window:
        raise UserError(
            f"data.seq_len is {frames}; a {config.model.family} model with these settings needs "
            f"windows of at least {model.min_window} frames"
        )
    if model.max_window is not None and frames > model.max_window:
        raise UserError(
            f"data.seq_len is {frames}; a {config.model.family} model with these settings learns "
            f"from windows of {model.max_window} frames and would never see the others"
        )
    context = gif_context(config.evaluation.context, frames)
    if config.training.gifs_every and context < model.min_context:
        raise UserError(
            f"evaluation.context is {config.evaluation.context}; the model needs at least "
            f"{model.min_context} frames to predict from"
        )


class _Loop:
    """One session of training, from a step to a step."""

    def __init__(
        self,
        config: ExperimentConfig,
        strategy: tf.distribute.Strategy,
        model: VideoModel,
        checkpoints: RunCheckpoints,
        train_split: VideoSplit,
        val_split: VideoSplit,
        folder: Path,
        report: Callable[[str], None],
    ):
        self.config, self.training = config, config.training
        self.strategy, self.model, self.checkpoints = strategy, model, checkpoints
        self.train_split, self.val_split, self.folder = train_split, val_split, folder
        self.report, self.chief = report, is_chief(strategy)
        # One compiled step for each function that the family trains by.
        self.train_steps: dict[Callable, Callable] = {}
        self.test_step = self._distributed(model.test_step, jit=False)
        self.validation = self._validation_batches()
        self.video_distance = None
        if self.training.fvd_every and self.chief:
            from hvp.distances.in_training import TrainingDistance

            self.video_distance = TrainingDistance(config, model, folder, report)
        self.gif_videos: dict[str, dict[str, np.ndarray]] = {}

    def run(self, step: int, total: int) -> None:
        training = self.training
        batches = iter(self._training_batches(start=step * training.batch_size))
        self.summaries = None
        if self.chief:
            with writing_run(self.folder):
                self.summaries = RunSummaries(self.folder, step)
        frames_per_step = training.batch_size * self.train_split.seq_len
        self.saved_step = step
        with _signals() as received, _progress(step, total) as progress:
            clock, clock_step = time.perf_counter(), step
            while step < total:
                function = self.model.step_function(step)
                if function not in self.train_steps:
                    self.train_steps[function] = self._distributed(function, jit=training.xla)
                results = self.train_steps[function](next(batches))
                scalars = {k: float(v) for k, v in results.items()}
                step += 1
                self._check_finite(scalars, step)
                progress.update(1)
                progress.set_postfix(loss=f"{scalars['loss']:.5g}", refresh=False)
                if _due(step, training.log_every, total) or step == 1:
                    seconds, count = time.perf_counter() - clock, step - clock_step
                    scalars["throughput/frames_per_second"] = count * frames_per_step / seconds
                    scalars["throughput/steps_per_second"] = count / seconds
                    self._log("train", scalars, step)
                    self._log_histograms(step)
                    self._print_line(progress, step, total, scalars)
                    clock, clock_step = time.perf_counter(), step
                paused = time.perf_counter()
                self._periodic_work(step, total)
                clock += time.perf_counter() - paused  # throughput is of training alone
                if received and step < total:
                    self._save(step)
                    name = signal.Signals(received[0]).name
                    raise Interrupted(
                        received[0],
                        f"stopped by {name} at step {step}, which is saved; run the same command "
                        "again to go on",
                    )

    def _periodic_work(self, step: int, total: int) -> None:
        training = self.training
        if self.validation is not None and _due(step, training.validate_every, total):
            scalars = self._validate()
            self._log("val", scalars, step)
            if training.best_metric not in scalars:
                self._save(step)  # the name can be mended and the run go on
                raise UserError(
                    f"training.best_metric is {training.best_metric!r}; validation reports "
                    f"{', '.join(scalars)}"
                )
            value = scalars[training.best_metric]
            if not training.fvd_every:
                self._keep_if_best(step, training.best_metric, value)
        if self.chief and _due(step, training.gifs_every, total):
            self._write_gifs(step)
        if _due(step, training.checkpoint_every, total):
            self._save(step)
        if self.video_distance is not None and _due(step, training.fvd_every, total):
            distance = self.video_distance.measure(step)
            self._log("val", distance, step)
            for name, value in distance.items():
                self._keep_if_best(step, name, value)
        if self.chief and _due(step, training.generators_every, total):
            self.checkpoints.save_generator(step)

    def _keep_if_best(self, step: int, metric: str, value: float) -> None:
        """`model/best`: by FVD where it is measured, else by the validation's `best_metric`."""
        if self.chief and math.isfinite(value):
            self.checkpoints.save_if_best(step, metric, value)

    def _check_finite(self, scalars: dict[str, float], step: int) -> None:
        bad = [name for name, value in scalars.items() if not math.isfinite(value)]
        if bad:
            last = self.checkpoints.latest
            kept = (
                f"the last good checkpoint is {last}" if last else "no checkpoint was written yet"
            )
            raise UserError(
                f"training stopped: {', '.join(bad)} not finite at step {step}; {kept}; try a "
                "lower training.learning_rate or training.clip_norm, or float32 precision"
            )

    def _save(self, step: int) -> None:
        if self.chief and step != self.saved_step:
            self.checkpoints.save(step)
            self.saved_step = step

    def _log(self, split: str, scalars: dict[str, float], step: int) -> None:
        if self.summaries is not None:
            with writing_run(self.folder):
                self.summaries.scalars(split, scalars, step)
                self.summaries.flush()

    def _log_histograms(self, step: int) -> None:
        histograms = self.model.histograms()
        if self.summaries is not None and histograms:
            with writing_run(self.folder):
                self.summaries.histograms("train", histograms, step)

    def _print_line(self, progress: tqdm, step: int, total: int, scalars: dict) -> None:
        if progress.disable:
            rate = scalars["throughput/frames_per_second"]
            left = (total - step) / scalars["throughput/steps_per_second"]
            self.report(
                f"step {step}/{total}  loss {scalars['loss']:.6g}  {rate:.0f} frames/s  "
                f"{tqdm.format_interval(left)} left"
            )

    def _write_gifs(self, step: int) -> None:
        assert self.summaries is not None  # the chief alone writes them
        if FAMILIES[self.config.model.family].generates:
            # Always the same codes, so that the run can be followed.
            videos = self.model.generate(
                GENERATED_VIDEOS, self.config.data.seq_len, self.config.seed
            )
            with writing_run(self.folder):
                self.summaries.gif("train", "generated", video_grid(videos.numpy()), step)
                self.summaries.flush()
            return
        for split, source in (("train", self.train_split), ("val", self.val_split)):
            if split not in self.gif_videos:
                count = min(MAX_GIF_VIDEOS, source.num_windows)
                first = next(iter(source.evaluation_batches(count, limit=count)), None)
                if first is None:
                    continue
                self.gif_videos[split] = {k: v.numpy() for k, v in first.items()}
            videos, masks = self.gif_videos[split]["video"], self.gif_videos[split].get("masks")
            context = gif_context(self.config.evaluation.context, videos.shape[1])
            frames = prediction_frames(
                self.model, videos, context, self.training.gif_samples, self.config.seed, masks
            )
            with writing_run(self.folder):
                self.summaries.gif(split, "truth_predictions_error", frames, step)
                self.summaries.flush()

    # Steps and batches over replicas -------------------------------------------------------

    def _distributed(self, function: Callable, jit: bool) -> Callable[[Any], dict[str, tf.Tensor]]:
        replica_function = tf.function(function, jit_compile=True) if jit else function

        @tf.function
        def step(batch: Any) -> dict[str, tf.Tensor]:
            results = self.strategy.run(replica_function, args=(batch,))
            mean = tf.distribute.ReduceOp.MEAN
            return {k: self.strategy.reduce(mean, v, axis=None) for k, v in results.items()}

        return step

    def _training_batches(self, start: int) -> Any:
        batch_size = self.training.batch_size
        return self.strategy.distribute_datasets_from_function(
            lambda context: replica_batches(
                self.train_split.training_batches(batch_size, start=start), context
            )
        )

    def _validation_batches(self) -> Any:
        """Full batches only, so that every replica has work and means are means."""
        replicas = self.strategy.num_replicas_in_sync
        batch_size = min(self.training.batch_size, self.val_split.num_windows)
        batch_size -= batch_size % replicas
        if batch_size == 0 or self.training.validation_batches == 0:
            return None
        limit = min(
            self.training.validation_batches * batch_size,
            self.val_split.num_windows - self.val_split.num_windows % batch_size,
        )
        return self.strategy.distribute_datasets_from_function(
            lambda context: replica_batches(
                self.val_split.evaluation_batches(batch_size, limit=limit).map(model_input),
                context,
            )
        )

    def _validate(self) -> dict[str, float]:
        results = [self.test_step(batch) for batch in self.validation]
        return {k: float(np.mean([float(r[k]) for r in results])) for k in results[0]}


def _due(step: int, every: int, total: int) -> bool:
    """Every `every` steps and at the end; never for 0."""
    return every > 0 and (step % every == 0 or step == total)


@contextmanager
def _precision(policy: str) -> Iterator[None]:
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM instead of dying of them; a second one does kill."""
    received: list[int] = []
    before: dict[int, Any] = {}

    def note(number: int, _frame: Any) -> None:
        received.append(number)
        signal.signal(number, before[number])

    for kind in (signal.SIGINT, signal.SIGTERM):
        try:
            before[kind] = signal.signal(kind, note)
        except ValueError:  # not the main thread: the caller handles signals
            break
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _progress(step: int, total: int) -> tqdm:
    """A bar on a terminal; elsewhere the loop prints a line now and then."""
    return tqdm(
        total=total,
        initial=step,
        unit="step",
        dynamic_ncols=True,
        disable=not sys.stderr.isatty(),
    )
