"""Examples shared out among the devices of a machine, for predicting and generating."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import tensorflow as tf


class Replicas:
    """Runs functions of examples on all replicas of a strategy, each on some of them.

    Args:
        strategy: of one process, in whose scope the variables of the functions were made.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy
        self._programs: dict[Hashable, Callable[..., Any]] = {}

    @property
    def count(self) -> int:
        """Of replicas."""
        return int(self._strategy.num_replicas_in_sync)

    def run(
        self,
        function: Callable[..., Any],
        examples: Any,
        axis: int,
        key: Hashable,
        given: int = 0,
    ) -> Any:
        """`function(*examples)`, a share of the examples on each replica, all at the same time.

        Args:
            function: of what can be traced; its results for an example follow from that alone.
            examples: nested tensors `(examples, ...)` and `None`.
            axis: of the examples in the results, which may be nested too.
            key: of `function`: it is traced once for each, and the shapes of examples.
            given: the axis of the examples in `examples`, where it is not the first.
        """
        count = next(x.shape[given] for x in tf.nest.flatten(examples) if x is not None)
        if count == 1 or self.count == 1:
            return function(*examples)
        each = -(-count // self.count)
        # Equal shares, so that all have the same program; the last example fills them.
        places = tf.minimum(tf.range(self.count * each), count - 1)

        def share(context: tf.distribute.ReplicaContext) -> Any:
            first = context.replica_id_in_sync_group * each
            own = places[first : first + each]
            return tf.nest.map_structure(
                lambda x: None if x is None else tf.gather(x, own, axis=given), tuple(examples)
            )

        shares = self._strategy.experimental_distribute_values_from_function(share)
        if key not in self._programs:
            self._programs[key] = tf.function(
                # Another function around it: a method that is compiled itself loses its object.
                lambda shares: self._strategy.run(lambda *own: function(*own), args=shares),
                autograph=False,
            )
        results = self._programs[key](shares)
        return tf.nest.map_structure(lambda value: self._together(value, axis, count), results)

    def _together(self, value: Any, axis: int, count: int) -> tf.Tensor | None:
        if value is None:  # such as the reconstruction of a model without latents
            return None
        parts = self._strategy.experimental_local_results(value)
        return tf.gather(tf.concat(parts, axis), tf.range(count), axis=axis)


class Shared:
    """What can be computed on all replicas of a strategy, by one once `share_out` was called."""

    _replicas: Replicas | None = None

    def share_out(self, strategy: tf.distribute.Strategy) -> None:
        """Has predictions and generated videos made on all replicas, each some of the examples.

        The numbers do not change, but for the rounding of another batch size.

        Args:
            strategy: of one process; the model must have been made in its scope.

        Example:
            >>> with strategy.scope():
            ...     _, model, _ = hvp.load_experiment("logs/kth")
            >>> model.share_out(strategy)
        """
        self._replicas = Replicas(strategy)

    def shared(
        self,
        function: Callable[..., Any],
        examples: Any,
        axis: int = 0,
        key: Hashable = None,
        given: int = 0,
    ) -> Any:
        """`function(*examples)`, by all replicas of `share_out`; see `Replicas.run`."""
        if self._replicas is None:
            return function(*examples)
        return self._replicas.run(function, examples, axis, key, given)
