"""Seeds of stateless random ops, and noise that depends on neither batch nor replicas."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeAlias

import tensorflow as tf

Seed: TypeAlias = int | tuple[int, int] | tf.Tensor | None


def as_seed(seed: Seed) -> tf.Tensor:
    """A seed of shape `(2,)` for stateless random ops; `None` draws a new one.

    A tensor keeps its shape: `(batch, 2)` seeds pass through.
    """
    if seed is None:
        seed = random.SystemRandom().randrange(2**31)
    if isinstance(seed, int):
        seed = (seed, 0)
    return tf.cast(tf.convert_to_tensor(seed), tf.int32)


def fold_in(seed: Seed, data: int | tf.Tensor) -> tf.Tensor:
    """A new seed of shape `(2,)` that depends on `seed` and the integer `data`."""
    return tf.random.experimental.stateless_fold_in(as_seed(seed), tf.cast(data, tf.int32))


def example_seeds(seed: Seed, batch: int | tf.Tensor | None) -> tf.Tensor:
    """One seed an example, `(batch, 2)`, int32.

    Args:
        seed: one for all, from which the examples' follow; or `(batch, 2)`, which stays.
        batch: number of examples.

    Raises:
        ValueError: for a seed of another shape.
    """
    seeds = as_seed(seed)
    if seeds.shape == (2,):
        # `fold_in` of every example: its first number depends on the seed alone.
        examples = tf.range(batch)
        return tf.stack([tf.fill(tf.shape(examples), fold_in(seeds, 0)[0]), examples], axis=1)
    if not seeds.shape.is_compatible_with((batch, 2)):
        raise ValueError(
            f"seed must be an integer, a pair or ({batch}, 2) integers, received shape "
            f"{seeds.shape}"
        )
    return seeds


def replica_normal(shape: tuple[Any, ...], seed: tf.Tensor) -> tf.Tensor:
    """This replica's share of standard normal noise drawn for the global batch.

    Args:
        shape: of the share; its first axis counts this replica's examples.
        seed: shape `(2,)`, the same on every replica.

    Returns:
        Rows `[replica * shape[0], (replica + 1) * shape[0])` of the noise that one replica would
        draw for the whole batch, so the result does not depend on how many replicas share it.
    """
    local, rest = shape[0], shape[1:]
    return replica_rows(lambda count: tf.random.stateless_normal((count, *rest), seed), local)


def replica_rows(draw: Callable[[Any], Any], local: int | tf.Tensor) -> Any:
    """This replica's rows of what is drawn for the global batch.

    Args:
        draw: from a number of rows to a tensor with as many, or a structure of such tensors; the
            same on every replica.
        local: this replica's number of rows.
    """
    replicas = tf.distribute.get_replica_context()
    if replicas is None or replicas.num_replicas_in_sync == 1:
        return draw(local)
    first = replicas.replica_id_in_sync_group * local
    drawn = draw(local * replicas.num_replicas_in_sync)
    return tf.nest.map_structure(lambda rows: rows[first:][:local], drawn)


def sample_noise(
    seeds: tf.Tensor,
    num_samples: int,
    part: int,
    shape: tuple[int, ...],
    first: int | tf.Tensor = 0,
) -> tf.Tensor:
    """Normal noise that depends on example and sample only, not on their batch.

    Args:
        seeds: `(batch, 2)` integers, one pair an example.
        num_samples: of each example.
        part: of the model; each has noise of its own.
        shape: of one sample's noise.
        first: number of the first row of it; rows before it are those of smaller numbers.

    Returns:
        `(num_samples * batch, *shape)`, sample-major.
    """

    def draw(seed_and_sample: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        seed, sample = seed_and_sample
        seed = fold_in(fold_in(seed, sample), part)
        # Longer noise begins as shorter noise does: earlier rows are drawn and left out, which
        # takes far less time than predicting their frames.
        rows = tf.random.stateless_normal((first + shape[0], *shape[1:]), seed)
        return tf.ensure_shape(rows[first:], shape)

    samples = tf.repeat(tf.range(num_samples), tf.shape(seeds)[0])
    return tf.map_fn(
        draw, (tf.tile(seeds, (num_samples, 1)), samples), fn_output_signature=tf.float32
    )
