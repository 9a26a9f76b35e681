"""Frames as LPIPS sees them: vectors whose distance is LPIPS, and a short summary of each."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from hvp.metrics.ensemble.variogram import VALUES

if TYPE_CHECKING:
    from hvp.metrics.perceptual import LPIPS


def lpips_features(network: LPIPS, frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Features of frames.

    Args:
        network: with its weights.
        frames: `(frames, height, width, channels)`, as `LPIPS` takes them.

    Returns:
        `(frames, features)`, whose squared Euclidean distance is LPIPS, for the energy score; and
        `(frames, VALUES)`, fixed random projections of the channels' means over the frame, for the
        variogram score.
    """
    maps = network.features(frames)
    flat = tf.concat([tf.reshape(m, (tf.shape(m)[0], -1)) for m in maps], 1)
    # A map's entries are scaled by its size: sums of squares are means over places.
    means = tf.concat(
        [
            tf.reduce_mean(m, (1, 2)) * tf.sqrt(tf.cast(tf.shape(m)[1] * tf.shape(m)[2], m.dtype))
            for m in maps
        ],
        1,
    )
    return flat, means @ tf.constant(_directions(means.shape[1]))


@functools.cache
def _directions(channels: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(channels, VALUES)).astype(np.float32)
