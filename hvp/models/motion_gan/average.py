"""The exponential moving average of a network's weights."""

from __future__ import annotations

import keras
import tensorflow as tf


def move_average(average: keras.Layer, network: keras.Layer, decay: tf.Tensor) -> None:
    """Moves an averaged network towards another; in replica context.

    Args:
        average, network: two of the same shape.
        decay: share of the average that stays, a scalar.
    """
    pairs = [
        (old.value, tf.convert_to_tensor(new.value))
        for old, new in zip(average.weights, network.weights, strict=True)
    ]

    def update(strategy: tf.distribute.Strategy, pairs: list, decay: tf.Tensor) -> None:
        def move(old: tf.Variable, new: tf.Tensor, decay: tf.Tensor) -> None:
            old.assign_add((new - old) * (1.0 - decay))

        for old, new in pairs:
            strategy.extended.update(old, move, args=(new, decay), group=False)

    tf.distribute.get_replica_context().merge_call(update, args=(pairs, decay))
