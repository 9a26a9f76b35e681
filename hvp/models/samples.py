"""Samples as an axis of their own, as predictions have them, or all in one batch, as layers do."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def by_sample(structure: Any, num_samples: int) -> Any:
    """Tensors `(samples * batch, ...)`, sample-major, as `(samples, batch, ...)`."""
    return tf.nest.map_structure(
        lambda x: tf.reshape(x, (num_samples, -1, *x.shape[1:])), structure
    )


def together(structure: Any) -> Any:
    """The inverse of `by_sample`: all samples in one batch."""
    return tf.nest.map_structure(lambda x: tf.reshape(x, (-1, *x.shape[2:])), structure)
