"""Variogram score: whether the values of a frame belong together as they truly do."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from hvp.metrics.ensemble.kernel_score import KernelScore

ORDER = 0.5
VALUES = 64  # of a frame that are paired with each other
_BLOCKS = VALUES // 4


def variogram_score(
    truth: tf.Tensor, samples: tf.Tensor, weights: np.ndarray | None = None
) -> KernelScore:
    """Fair variogram score of order 1/2, averaged over pairs of different values.

    Scheuerer and Hamill, "Variogram-Based Proper Scoring Rules for Probabilistic Forecasts of
    Multivariate Quantities", 2015. With v = |x_i - x_j|^(1/2) it is the weighted mean over pairs of
    E(v - v_y)^2 - E(v - v')^2 / 2; the second is the variance of v over samples, which spares the
    pairs of samples that scoringrules forms.

    Args:
        truth: `(frames, values)`, a few values of each frame, such as `paired_values` takes.
        samples: `(samples, frames, values)`.
        weights: of the pairs, `(values, values)`; `None` for equal ones.

    Returns:
        `(frames,)` each.
    """
    of_truth, of_samples = _variogram(truth), _variogram(samples)
    if weights is None:
        weights = 1.0 - np.eye(truth.shape[-1])
    normalized = tf.constant(weights / weights.sum(), truth.dtype)
    squared = tf.reduce_mean(tf.square(of_samples - of_truth), 0)
    to_truth = tf.reduce_sum(normalized * squared, (1, 2))
    count = samples.shape[0]
    if count == 1:
        return KernelScore(to_truth, tf.zeros_like(to_truth))
    variance = tf.math.reduce_variance(of_samples, 0) * (count / (count - 1))
    return KernelScore(to_truth, 2.0 * tf.reduce_sum(normalized * variance, (1, 2)))


@functools.cache
def paired_values(height: int, width: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Which values of a frame are paired, and how much each pair counts.

    Blocks of 2x2 pixels at fixed random places, so that there are neighbours among them; a pair
    counts by one over its distance, as the authors advise, since near pixels depend on each other
    most.

    Returns:
        Indices into the flattened frame, `(values,)`, at most `VALUES`; weights
        `(values, values)`, 0 for a value with itself.
    """
    random = np.random.default_rng(0)
    tops = random.integers(max(1, height - 1), size=_BLOCKS)
    lefts = random.integers(max(1, width - 1), size=_BLOCKS)
    pixels = {
        (min(top + i, height - 1), min(left + j, width - 1))
        for top, left in zip(tops, lefts, strict=True)
        for i in (0, 1)
        for j in (0, 1)
    }
    places = np.array(sorted(pixels))
    channel = random.integers(channels, size=len(places))
    distance = np.linalg.norm(places[:, None] - places[None], axis=-1)
    weights = np.divide(1.0, distance, out=np.zeros_like(distance), where=distance > 0)
    return (places[:, 0] * width + places[:, 1]) * channels + channel, weights


def _variogram(values: tf.Tensor) -> tf.Tensor:
    """`(..., values, values)`."""
    return tf.abs(values[..., :, None] - values[..., None, :]) ** ORDER
