"""Which devices train together, and which part of each batch they get."""

from __future__ import annotations

import keras
import tensorflow as tf
from tensorflow.python.distribute import cross_device_utils

from hvp.errors import UserError


def make_strategy(name: str) -> tf.distribute.Strategy:
    """The strategy of `training.strategy`. Call it before any other TensorFlow operation.

    Args:
        name: `auto` (all GPUs, or the one, or the CPU), `cpu`, `gpu` (the first one), `mirrored`
            (all GPUs, or all logical CPUs where there is no GPU) or `multiworker` (the workers
            that the environment variable TF_CONFIG lists, as `export_cluster` writes it).

    Raises:
        UserError: `gpu` without one.
    """
    _keep_collective_keys()
    if name == "multiworker":
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
                "training.strategy (--strategy) is gpu, but TensorFlow sees no GPU; HVP_VERBOSE=1 "
                "shows why, training.strategy=cpu goes without"
            )
        return tf.distribute.OneDeviceStrategy("/GPU:0")
    devices = gpus or tf.config.list_logical_devices("CPU")
    # Keys of collectives are remembered for the process: a second model must not use the first's.
    tf.distribute.MirroredStrategy._collective_key_base += 1000
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def use_devices(name: str) -> tf.distribute.Strategy:
    """The strategy of a process that predicts or generates; other devices are hidden from it.

    Args:
        name: `auto`, `cpu`, `gpu` or `mirrored`, as of `make_strategy`.

    Raises:
        UserError: `gpu` without one.
    """
    hide_other_devices(name)
    return make_strategy(name)


def hide_other_devices(name: str) -> None:
    """Hides GPUs that `make_strategy(name)` does not use from this process."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and name in ("cpu", "gpu"):
        tf.config.set_visible_devices(gpus[:1] if name == "gpu" else [], "GPU")


def _keep_collective_keys() -> None:
    """Lets a collective keep the key that it got when its function was traced.

    By default TensorFlow draws a key for every collective of every call and remembers each, so that
    a worker grew by some 10 KiB a step. Keys of tracing ask that all workers trace the same
    functions in the same order, as they do: every worker runs the same loop from the same step.
    """
    cross_device_utils.CollectiveReplicaLauncher._prefer_unique_instance_key = False


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
