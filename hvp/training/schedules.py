"""Learning rates over a run: constant, cosine, one cycle, milestones; with a warm-up."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from hvp.config import TrainingConfig

# Of PyTorch's OneCycleLR, which SDFNet and DFDNet were trained with.
ONE_CYCLE_WARM_UP = 0.3  # share of the run
ONE_CYCLE_START = 1 / 25  # of the highest rate
ONE_CYCLE_END = 1e-4  # of the first rate
ONE_CYCLE_BETA_1 = (0.95, 0.85)  # Adam's first moment at both ends of the run, and at the peak


def make_schedule(
    training: TrainingConfig, total_steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate of `training.schedule` over `total_steps` updates.

    `constant` and `cosine` (down to 0 at the end) rise linearly over `training.warmup_steps`
    first, and so does `milestones`, which multiplies the rate by `training.milestone_factor` at
    each of `training.milestones`; `onecycle` has its own warm-up over 30 % of the run.
    """
    if training.schedule == "onecycle":
        return OneCycle(training.learning_rate, total_steps, training.cycle_momentum)
    if training.schedule == "cosine":
        return WarmUpCosine(training.learning_rate, total_steps, training.warmup_steps)
    if training.schedule == "milestones":
        return Milestones(
            training.learning_rate,
            [round(share * total_steps) for share in training.milestones],
            training.milestone_factor,
            training.warmup_steps,
        )
    if training.warmup_steps:
        return WarmUpCosine(training.learning_rate, None, training.warmup_steps)
    return training.learning_rate


@keras.saving.register_keras_serializable("hvp")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Cosine from 1/25 of the highest rate up to it, then down to 1/250000 of it.

    Equal to PyTorch's `OneCycleLR(max_lr=highest, total_steps=total_steps)` with its defaults.

    Args:
        highest: rate reached after 30 % of the run.
        total_steps: updates of the run.
        cycle_momentum: Adam's beta_1 goes the other way, from 0.95 down to 0.85 and back.

    Attributes:
        beta_1: from a step to Adam's beta_1, which `hvp.models.adam.Adam` follows; or `None`.
    """

    def __init__(self, highest: float, total_steps: int, cycle_momentum: bool = False):
        self.highest, self.total_steps = highest, total_steps
        self.cycle_momentum = cycle_momentum
        self.beta_1 = self._beta_1 if cycle_momentum else None

    def __call__(self, step: Any) -> tf.Tensor:
        first = self.highest * ONE_CYCLE_START
        return self._cycle(step, first, self.highest, first * ONE_CYCLE_END)

    def _beta_1(self, step: Any) -> tf.Tensor:
        ends, peak = ONE_CYCLE_BETA_1
        return self._cycle(step, ends, peak, ends)

    def _cycle(self, step: Any, first: float, middle: float, last: float) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        peak = max(ONE_CYCLE_WARM_UP * self.total_steps - 1, 1e-6)
        end = max(self.total_steps - 1, peak + 1e-6)
        up = _cosine(first, middle, step / peak)
        down = _cosine(middle, last, (step - peak) / (end - peak))
        return tf.where(step <= peak, up, down)

    def get_config(self) -> dict[str, Any]:
        return {
            "highest": self.highest,
            "total_steps": self.total_steps,
            "cycle_momentum": self.cycle_momentum,
        }


@keras.saving.register_keras_serializable("hvp")
class WarmUpCosine(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise, then a cosine down to 0, or a constant rate.

    Args:
        highest: rate after the rise.
        total_steps: updates of the run, at whose end the rate is 0; `None` keeps it constant.
        warmup_steps: updates of the rise; the first one already has `highest / warmup_steps`.
    """

    def __init__(self, highest: float, total_steps: int | None, warmup_steps: int):
        self.highest, self.total_steps, self.warmup_steps = highest, total_steps, warmup_steps

    def __call__(self, step: Any) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        later = tf.constant(self.highest, tf.float32)
        if self.total_steps is not None:
            length = max(self.total_steps - self.warmup_steps, 1)
            later = _cosine(self.highest, 0.0, (step - self.warmup_steps) / length)
        if not self.warmup_steps:
            return later
        rising = self.highest * (step + 1) / self.warmup_steps
        return tf.where(step < self.warmup_steps, rising, later)

    def get_config(self) -> dict[str, Any]:
        return {
            "highest": self.highest,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
        }


@keras.saving.register_keras_serializable("hvp")
class Milestones(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that is multiplied by `factor` at each milestone, after a linear rise.

    PyTorch's `MultiStepLR`, but for the rise.

    Args:
        highest: rate until the first milestone.
        milestones: numbers of updates made.
        factor: at each.
        warmup_steps: updates of the rise.
    """

    def __init__(self, highest: float, milestones: list[int], factor: float, warmup_steps: int = 0):
        self.highest, self.milestones = highest, list(milestones)
        self.factor, self.warmup_steps = factor, warmup_steps

    def __call__(self, step: Any) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        passed = tf.reduce_sum(
            tf.cast(step >= tf.constant(self.milestones, tf.float32), tf.float32)
        )
        rate = self.highest * tf.pow(tf.cast(self.factor, tf.float32), passed)
        if self.warmup_steps:
            rate *= tf.minimum((step + 1) / self.warmup_steps, 1.0)
        return rate

    def get_config(self) -> dict[str, Any]:
        return {
            "highest": self.highest,
            "milestones": self.milestones,
            "factor": self.factor,
            "warmup_steps": self.warmup_steps,
        }


def _cosine(start: float, end: float, share: tf.Tensor) -> tf.Tensor:
    share = tf.clip_by_value(share, 0.0, 1.0)
    return end + (start - end) / 2 * (1 + tf.cos(math.pi * share))
