"""One session of training, from a step to a step."""

from __future__ import annotations

import dataclasses
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from hvp.config import ExperimentConfig
from hvp.data.video_split import VideoSplit
from hvp.errors import UserError
from hvp.experiment.checkpoints import RunCheckpoints, writing_run
from hvp.models.base import VideoModel
from hvp.training.batches import distributed_step, training_batches, validation_batches
from hvp.training.callbacks import Callbacks, ValidationRecord
from hvp.training.distribution import is_chief
from hvp.training.multiworker import worker_sum
from hvp.training.pictures import RunPictures
from hvp.training.signals import Interrupted, agreed_signal, collected_signals, stop_flag
from hvp.training.summaries import RunSummaries
from hvp.training.updates import Updates


@dataclasses.dataclass
class Run:
    """What a run is made of: its experiment, devices, model, data and folder.

    Attributes:
        splits: `train` and `val`.
        report: called with each line for the user.
    """

    config: ExperimentConfig
    strategy: tf.distribute.Strategy
    model: VideoModel
    checkpoints: RunCheckpoints
    splits: dict[str, VideoSplit]
    folder: Path
    report: Callable[[str], None]
    callbacks: Callbacks


class Loop:
    """Trains from the checkpoint's step on. Call `run` once."""

    def __init__(self, run: Run):
        self.config, self.training = run.config, run.config.training
        self.strategy, self.model, self.checkpoints = run.strategy, run.model, run.checkpoints
        self.splits, self.folder, self.report = run.splits, run.folder, run.report
        self.callbacks = run.callbacks
        self.chief = is_chief(run.strategy)
        self.updates = Updates(
            run.strategy, run.model.step_function, self.training.steps_per_call, self.training.xla
        )
        self.test_step = distributed_step(run.strategy, run.model.test_step)
        self.worker_sum = worker_sum(run.strategy)
        self.validation = validation_batches(run.strategy, run.splits["val"], self.training)
        self.summaries: RunSummaries | None = None
        self.pictures: RunPictures | None = None
        self.video_distance = None
        if self.training.fvd_every and self.chief:
            from hvp.distances.in_training import TrainingDistance

            self.video_distance = TrainingDistance(run.config, run.model, run.folder, run.report)

    def run(self, step: int, total: int) -> None:
        """Trains from `step` until `total` updates are made.

        Raises:
            UserError: if something is not finite or cannot be written.
            Interrupted: after SIGINT or SIGTERM, on whichever worker.
        """
        self._open_summaries(step)
        self.record, self.saved_step = ValidationRecord(self.folder, step), step
        with writing_run(self.folder):
            self.callbacks.begin(step)
        batches = iter(self._batches(step))
        first = step + 1
        self.report("compiling the first step, which takes from seconds to minutes")
        with collected_signals() as received, _progress(step, total) as progress:
            clock = _Clock(step, self.training.batch_size * self.splits["train"].seq_len)
            while step < total:
                count = self.updates.run(batches, step, self._until_due(step, first, total))
                step += count
                progress.update(count)
                logged = _due(step, self.training.log_every, total) or step == 1
                shown = logged or step == first
                if shown or self.callbacks.active or step == self._next_due(step - 1, total):
                    self._check_finite()
                if self.callbacks.active:
                    self.callbacks.updated(step, self.updates.scalars())
                if shown:
                    scalars = self.updates.scalars()
                    if step > first:  # the first one is compiled
                        scalars |= clock.rates(step)
                    if logged:  # a session's first one is not, or resuming would show
                        self._log("train", scalars, step)
                        self._log_histograms(step)
                    self._print_line(progress, step, total, scalars)
                    clock.restart(step)
                with clock.paused():
                    self._periodic_work(step, total)
                if step < total and self._stops_early():
                    self._save(step)
                    self.report(f"stopped early at step {step}, which is saved")
                    break
                number = agreed_signal(self.worker_sum(stop_flag(received)))
                if number is not None and step < total:
                    self._stop(number, step)
        self.callbacks.end()

    def _open_summaries(self, step: int) -> None:
        if self.chief:
            with writing_run(self.folder):
                self.summaries = RunSummaries(self.folder, step)
            self.pictures = RunPictures(
                self.config, self.model, self.splits, self.summaries, self.folder
            )

    def _batches(self, step: int) -> Any:
        batch_size = self.training.batch_size
        start = step * batch_size
        return training_batches(self.strategy, self.splits["train"], batch_size, start)

    def _until_due(self, step: int, first: int, total: int) -> int:
        """Updates until something is due; the first one, and those for callbacks, are alone."""
        alone = step + 1 == first or self.callbacks.active
        return 1 if alone else self._next_due(step, total) - step

    def _next_due(self, step: int, total: int) -> int:
        """The first step after `step` at which something is logged, measured or saved."""
        training = self.training
        intervals = (
            training.log_every, training.validate_every, training.gifs_every,
            training.checkpoint_every, training.fvd_every, training.generators_every,
        )  # fmt: skip
        return min([total, *(step + every - step % every for every in intervals if every)])

    def _stop(self, number: int, step: int) -> None:
        self._check_finite()
        self._save(step)
        raise Interrupted(
            number,
            f"stopped by {signal.Signals(number).name} at step {step}, which is saved; run the "
            "same command again to go on",
        )

    def _periodic_work(self, step: int, total: int) -> None:
        training = self.training
        validation: dict[str, float] = {}
        if self.validation is not None and _due(step, training.validate_every, total):
            validation = self._validate(step)
        if validation or _due(step, self.callbacks.steps, total):
            self.callbacks.epoch_over(step, validation)
        if self.pictures is not None and _due(step, training.gifs_every, total):
            self.pictures.write(step)
        if _due(step, training.checkpoint_every, total):
            self._save(step)
        if self.video_distance is not None and _due(step, training.fvd_every, total):
            distance = self.video_distance.measure(step)
            self._log("val", distance, step)
            for name, value in distance.items():
                self._keep_if_best(step, name, value)
        if self.chief and _due(step, training.generators_every, total):
            self.checkpoints.save_generator(step)

    def _stops_early(self) -> bool:
        over = self.record.is_patience_over(self.training.early_stopping)
        return over or self.callbacks.want_to_stop

    def _validate(self, step: int) -> dict[str, float]:
        results = [self.test_step(batch) for batch in self.validation]
        scalars = {k: float(np.mean([float(r[k]) for r in results])) for k in results[0]}
        self._log("val", scalars, step)
        if self.summaries is not None and not self.record.rows:
            self.summaries.layout(scalars)
        metric = self.training.best_metric
        if metric not in scalars:
            self._save(step)  # the name can be mended and the run go on
            raise UserError(
                f"training.best_metric is {metric!r}; validation reports {', '.join(scalars)}"
            )
        if not self.training.fvd_every:
            self._keep_if_best(step, metric, scalars[metric])
        if self.chief:
            self.record.add(step, scalars)
        return scalars

    def _keep_if_best(self, step: int, metric: str, value: float) -> None:
        """`model/best`: by FVD where it is measured, else by the validation's `best_metric`."""
        if self.chief and math.isfinite(value):
            self.checkpoints.save_if_best(step, metric, value)

    def _check_finite(self) -> None:
        """Before anything is logged or saved; between, numbers stay on the device."""
        if found := self.updates.not_finite():
            bad, step = found
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
        progress.set_postfix(loss=f"{scalars['loss']:.5g}", refresh=False)
        if progress.disable:
            line = f"step {step}/{total}  loss {scalars['loss']:.6g}"
            if "throughput/steps_per_second" in scalars:
                left = (total - step) / scalars["throughput/steps_per_second"]
                rate = scalars["throughput/frames_per_second"]
                line += f"  {rate:.0f} frames/s  {tqdm.format_interval(left)} left"
            self.report(line)


class _Clock:
    """Throughput of training alone, without what is done between the steps."""

    def __init__(self, step: int, frames_per_step: int):
        self.frames_per_step = frames_per_step
        self.restart(step)

    def restart(self, step: int) -> None:
        self.start, self.first = time.perf_counter(), step

    def rates(self, step: int) -> dict[str, float]:
        seconds, count = time.perf_counter() - self.start, step - self.first
        return {
            "throughput/frames_per_second": count * self.frames_per_step / seconds,
            "throughput/steps_per_second": count / seconds,
        }

    @contextmanager
    def paused(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.start += time.perf_counter() - began


def _due(step: int, every: int, total: int) -> bool:
    """Every `every` steps and at the end; never for 0."""
    return every > 0 and (step % every == 0 or step == total)


def _progress(step: int, total: int) -> tqdm:
    """A bar on a terminal; elsewhere the loop prints a line now and then."""
    return tqdm(
        total=total,
        initial=step,
        unit="step",
        dynamic_ncols=True,
        disable=not sys.stderr.isatty(),
    )
