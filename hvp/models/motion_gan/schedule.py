"""The learning rate of discriminators that take penalty steps as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


class PenalisedSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """The rate of an optimizer that counts a penalty step at every `every`-th update too.

    A penalty has the rate of its update, before which or after which it is.
    """

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, every: int):
        self.schedule, self.every = schedule, every

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        return self.schedule(self._updates(step))

    @property
    def beta_1(self) -> Callable[[tf.Tensor], tf.Tensor] | None:
        """Adam's, where the schedule cycles it."""
        cycled = getattr(self.schedule, "beta_1", None)
        return None if cycled is None else lambda step: cycled(self._updates(step))

    def _updates(self, step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.int64)
        penalties = (step + self.every) // (self.every + 1)  # the first step is one
        return step - penalties

    def get_config(self) -> dict[str, Any]:
        return {"schedule": self.schedule, "every": self.every}
