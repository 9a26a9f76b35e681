"""Which devices train together, and which part of each batch they get."""

from __future__ import annotations

import json
import os

import keras
import tensorflow as tf

from hvp.errors import UserError


def make_strategy(name: str) -> tf.distribute.Strategy:
    """The strategy of `training.strategy`. Call it before any other TensorFlow operation.

    Args:
        name: `auto` (all GPUs, or the one, or the CPU), `cpu`, `gpu` (the first one), `mirrored`
            (all GPUs, or all logical CPUs where there is no GPU) or `multiworker` (the workers
            that the environment variable TF_CONFIG lists).

    Raises:
        UserError: `gpu` without one, or `multiworker` without a valid TF_CONFIG.
    """
    if name == "multiworker":
        _check_tf_config()
        # First of all: listing devices starts TensorFlow, and its workers cannot connect after.
        return tf.distribute.MultiWorkerMirroredStrategy()
    gpus = tf.config.list_logical_devices("GPU")
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 else "gpu" if gpus else "cpu"
    if name == "cpu":
        return tf.distribute.OneDeviceStrategy("/CPU:0")
    if name == "gpu":
        if not gpus:
            raise UserError(
                "training.strategy is gpu, but TensorFlow sees no GPU; HVP_VERBOSE=1 shows why, "
                "training.strategy=cpu goes without"
            )
        return tf.distribute.OneDeviceStrategy("/GPU:0")
    devices = gpus or tf.config.list_logical_devices("CPU")
    # Keys of collectives are remembered for the process: a second model must not use the first's.
    tf.distribute.MirroredStrategy._collective_key_base += 1000
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _check_tf_config() -> None:
    advice = (
        'set it on every worker, such as {"cluster": {"worker": ["host1:12345", "host2:12345"]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    text = os.environ.get("TF_CONFIG")
    if not text:
        raise UserError(f"training.strategy is multiworker, but TF_CONFIG is not set; {advice}")
    try:
        content = json.loads(text)
        workers, index = content["cluster"]["worker"], content["task"]["index"]
        valid = 0 <= int(index) < len(workers)
    except (json.JSONDecodeError, KeyError, TypeError, ValueError):
        valid = False
    if not valid:
        raise UserError(f"TF_CONFIG is {text!r}, which names no worker of a cluster; {advice}")


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes checkpoints and summaries."""
    resolver = strategy.cluster_resolver
    return resolver is None or not resolver.task_type or resolver.task_id == 0


def synchronize_batch_norms(model: keras.Model) -> None:
    """Lets batch normalisation see the whole batch, on however many replicas it is.

    Without, every replica normalises by the statistics of its own part. Call it before the model's
    steps are compiled.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def check_batch_size(batch_size: int, strategy: tf.distribute.Strategy, key: str) -> None:
    """Raises a `UserError` unless `batch_size` (configuration `key`) divides among the replicas."""
    replicas = strategy.num_replicas_in_sync
    if batch_size < 1 or batch_size % replicas:
        raise UserError(
            f"{key} is {batch_size}, which does not divide among {replicas} replicas; "
            f"try {max(1, round(batch_size / replicas)) * replicas}"
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
