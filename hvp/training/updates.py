"""Updates that stay on the device: several in a call, their numbers fetched when wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from hvp.heap import give_back
from hvp.training.batches import distributed_step


class Updates:
    """The training steps of a run, without waiting for their results.

    Args:
        strategy: whose replicas share a batch.
        step_function: step -> the function that the family trains that step by.
        per_call: the most updates of one call of a graph.
        jit: whether XLA compiles the step.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        step_function: Callable[[int], Callable],
        per_call: int = 1,
        jit: bool = False,
    ):
        self.strategy, self.step_function = strategy, step_function
        self.per_call, self.jit = per_call, jit
        self._programs: dict[Callable, _Program] = {}
        self._last: _Program | None = None

    def run(self, batches: Any, step: int, most: int) -> int:
        """Makes up to `most` updates from `step` on, all by one function.

        Args:
            batches: an iterator over the replicas' batches.

        Returns:
            How many.
        """
        function = self.step_function(step)
        if function not in self._programs:
            compiled = distributed_step(self.strategy, function, jit=self.jit)
            self._programs[function] = _Program(compiled, looped=self.per_call > 1)
        count, most = 1, min(most, self.per_call)
        while count < most and self.step_function(step + count) == function:
            count += 1
        self._last = self._programs[function]
        self._last.run(batches, step, count)
        return count

    def scalars(self) -> dict[str, float]:
        """The latest update's numbers by name; waits for it."""
        return self._last.scalars() if self._last else {}

    def not_finite(self) -> tuple[list[str], int] | None:
        """What was not finite in the first update that had such a number, and its step."""
        found = [bad for program in self._programs.values() if (bad := program.not_finite())]
        return min(found, key=lambda bad: bad[1]) if found else None


class _Program:
    """The compiled updates by one function, with what is known of them on the device.

    `_values` are the latest update's scalars `(K,)`; `_wrong` `(K,)` is for each the first step at
    which it was not finite, or 0.
    """

    def __init__(self, step: Any, looped: bool):
        self.names: list[str] = []
        self._step = step
        self._values, self._wrong = tf.zeros([0]), tf.zeros([], tf.int64)
        self._run = tf.function(self._several if looped else self._one, autograph=False)

    def run(self, batches: Any, step: int, count: int) -> None:
        is_first = not self.names
        if is_first and not tf.config.functions_run_eagerly():
            # The step is traced before it runs: with its numbers known, the calls' shapes are too,
            # and none of them is traced, nor optimised, twice.
            self.names = list(self._step.get_concrete_function(batches.element_spec).output_shapes)
            self._wrong = tf.zeros([len(self.names)], tf.int64)
        # Arrays: TensorFlow keeps every Python number that it ever made a tensor of.
        first, count = (tf.constant(np.array(number, np.int64)) for number in (step + 1, count))
        self._values, self._wrong = self._run(batches, first, count, self._wrong)
        if is_first:
            give_back()  # what compiling has left

    def scalars(self) -> dict[str, float]:
        return dict(zip(self.names, map(float, np.asarray(self._values)), strict=True))

    def not_finite(self) -> tuple[list[str], int] | None:
        wrong = np.asarray(self._wrong)
        if not wrong.any():
            return None
        step = wrong[wrong > 0].min()
        return [n for n, first in zip(self.names, wrong, strict=True) if first == step], int(step)

    def _one(self, batches: Any, number: Any, count: Any, wrong: Any) -> Any:
        scalars = self._step(next(batches))
        self.names = self.names or list(scalars)  # where functions run eagerly, only now known
        values = tf.stack([tf.cast(scalars[name], tf.float32) for name in self.names])
        new = (wrong == 0) & ~tf.math.is_finite(values)
        return values, tf.where(new, number, wrong)

    def _several(self, batches: Any, number: Any, count: Any, wrong: Any) -> Any:
        def update(done: Any, values: Any, wrong: Any) -> Any:
            return done + 1, *self._one(batches, number + done, count, wrong)

        start = (tf.constant(0, tf.int64), tf.zeros([len(self.names)]), wrong)
        every = tf.while_loop(lambda done, *_: done < count, update, start, parallel_iterations=1)
        return every[1:]
