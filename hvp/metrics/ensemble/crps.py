"""Continuous ranked probability score of every pixel, averaged over a frame."""

from __future__ import annotations

import scoringrules
import tensorflow as tf

from hvp.metrics.ensemble.kernel_score import KernelScore

# All pairs are quicker than sorting each pixel's samples up to about this many; both are the same.
_PAIRS_UP_TO = 16


def crps(truth: tf.Tensor, samples: tf.Tensor) -> KernelScore:
    """Fair CRPS: E|X - y| - E|X - X'| / 2 of every pixel, in grey levels.

    Matheson and Winkler, 1976; the unbiased estimator of Ferro, 2014, by `scoringrules`.

    Args:
        truth: `(frames, values)`, float32.
        samples: `(samples, frames, values)`; a single one has its mean absolute error.

    Returns:
        `(frames,)` each, means over values.
    """
    error = tf.reduce_mean(tf.abs(samples - truth), (0, 2))
    count = samples.shape[0]
    if count == 1:
        return KernelScore(error, tf.zeros_like(error))
    last = tf.transpose(samples, (1, 2, 0))
    pairs = count <= _PAIRS_UP_TO
    score = scoringrules.crps_ensemble(
        truth,
        last if pairs else tf.sort(last),  # its own sorting fails in TensorFlow (0.10)
        estimator="fair" if pairs else "pwm",
        sorted_ensemble=True,
        backend="tensorflow",
    )
    return KernelScore(error, 2.0 * (error - tf.reduce_mean(score, 1)))
