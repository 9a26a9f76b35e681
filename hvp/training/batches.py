"""Steps and batches over replicas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hvp.config import TrainingConfig
from hvp.data.video_split import VideoSplit, model_input


def distributed_step(
    strategy: tf.distribute.Strategy, function: Callable, jit: bool = False
) -> Callable[[Any], dict[str, tf.Tensor]]:
    """A compiled step that runs `function` on every replica and returns the replicas' means.

    As in Keras' `fit`, AutoGraph leaves it alone: rewriting the code took longer than tracing it.
    """
    replica_function = tf.function(function, jit_compile=True, autograph=False) if jit else function

    @tf.function(autograph=False)
    def step(batch: Any) -> dict[str, tf.Tensor]:
        results = strategy.run(replica_function, args=(batch,))
        mean = tf.distribute.ReduceOp.MEAN
        return {k: strategy.reduce(mean, v, axis=None) for k, v in results.items()}

    return step


def training_batches(
    strategy: tf.distribute.Strategy, split: VideoSplit, batch_size: int, start: int
) -> Any:
    """The replicas' parts of the global batches from window number `start` on, without an end."""
    return strategy.distribute_datasets_from_function(
        lambda context: replica_batches(split.training_batches(batch_size, start=start), context)
    )


def validation_batches(
    strategy: tf.distribute.Strategy, split: VideoSplit, training: TrainingConfig
) -> Any:
    """Full batches only, so that every replica has work and means are means; or None."""
    replicas = strategy.num_replicas_in_sync
    batch_size = min(training.batch_size, split.num_windows)
    batch_size -= batch_size % replicas
    if batch_size == 0 or training.validation_batches == 0:
        return None
    limit = min(
        training.validation_batches * batch_size,
        split.num_windows - split.num_windows % batch_size,
    )
    return strategy.distribute_datasets_from_function(
        lambda context: replica_batches(
            split.evaluation_batches(batch_size, limit=limit).map(model_input), context
        )
    )


def replica_batches(
    dataset: tf.data.Dataset, context: tf.distribute.InputContext
) -> tf.data.Dataset:
    """This worker's batches in the parts that its replicas take, in order.

    Replica r of the job gets examples `[r * local, (r + 1) * local)` of each global batch, which
    is what `hvp.models.base.replica_normal` counts on.
    """
    workers, worker = context.num_input_pipelines, context.input_pipeline_id
    parts = context.num_replicas_in_sync
    own = parts // workers
    if parts == 1:
        return dataset

    def own_parts(batch: tf.Tensor) -> tf.Tensor:
        divided = tf.reshape(batch, (parts, -1, *batch.shape[1:]))
        return divided[worker * own : (worker + 1) * own]

    def split(batch: tf.Tensor | dict[str, tf.Tensor]) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(own_parts, batch))

    return dataset.flat_map(split)
