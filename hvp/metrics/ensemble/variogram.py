"""Variogram score: whether the values of a frame belong together as they truly do."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from hvp.metrics.ensemble.kernel_score import KernelScore

ORDER = 0.5
VALUES = 64  # of a frame that are paired with each other


def variogram_score(truth: tf.Tensor, samples: tf.Tensor) -> KernelScore:
    """Fair variogram score of order 1/2, averaged over pairs of different values.

    Scheuerer and Hamill, "Variogram-Based Proper Scoring Rules for Probabilistic Forecasts of
    Multivariate Quantities", 2015, with equal weights. With v = |x_i - x_j|^(1/2) it is the mean
    over pairs of E(v - v_y)^2 - E(v - v')^2 / 2; the second is the variance of v over samples,
    which spares the pairs of samples that scoringrules forms.

    Args:
        truth: `(frames, values)`, a few values of each frame, such as `chosen_values` takes.
        samples: `(samples, frames, values)`.

    Returns:
        `(frames,)` each.
    """
    of_truth, of_samples = _variogram(truth), _variogram(samples)
    pairs = float(truth.shape[-1] * (truth.shape[-1] - 1))
    to_truth = tf.reduce_sum(tf.reduce_mean(tf.square(of_samples - of_truth), 0), (1, 2)) / pairs
    count = samples.shape[0]
    if count == 1:
        return KernelScore(to_truth, tf.zeros_like(to_truth))
    variance = tf.math.reduce_variance(of_samples, 0) * (count / (count - 1))
    return KernelScore(to_truth, 2.0 * tf.reduce_sum(variance, (1, 2)) / pairs)


def chosen_values(total: int) -> np.ndarray:
    """Which values of a frame are paired: up to `VALUES` of `total`, always the same ones."""
    chosen = np.random.default_rng(0).permutation(total)[:VALUES]
    return np.sort(chosen)


def _variogram(values: tf.Tensor) -> tf.Tensor:
    """`(..., values, values)`."""
    return tf.abs(values[..., :, None] - values[..., None, :]) ** ORDER
