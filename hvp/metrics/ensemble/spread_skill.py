"""Spread against skill: the samples' variance beside the squared error of their mean."""

from __future__ import annotations

import tensorflow as tf


def spread_and_skill(truth: tf.Tensor, samples: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What is equal on average where the truth is one more sample.

    Fortin et al., "Why Should Ensemble Spread Match the RMSE of the Ensemble Mean?", 2014: the
    unbiased variance times (N + 1) / N, since the mean of N samples errs itself. The ratio is the
    square root of the means' quotient, never a mean of quotients.

    Args:
        truth: `(frames, values)`.
        samples: `(samples, frames, values)`, at least two.

    Returns:
        Variance and squared error of every value, `(frames, values)` each.
    """
    count = samples.shape[0]
    mean, variance = tf.nn.moments(samples, 0)
    return variance * ((count + 1) / (count - 1)), tf.square(mean - truth)
