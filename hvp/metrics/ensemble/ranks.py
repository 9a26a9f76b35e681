"""Where the truth falls among the samples: rank histograms, and what follows from them.

Hamill, "Interpretation of Rank Histograms for Verifying Ensemble Forecasts", 2001.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

PROJECTIONS = 16


def rank_shares(truth: tf.Tensor, samples: tf.Tensor) -> tf.Tensor:
    """Share of a frame's values at which the truth has each rank among the samples.

    A truth that equals some samples could have any of their ranks: its value is shared out equally
    among these, instead of by lot.

    Args:
        truth: `(frames, values)`.
        samples: `(samples, frames, values)`.

    Returns:
        `(frames, samples + 1)`, float64; each row sums to 1. Rank 0: the truth is below all.
    """
    count = samples.shape[0]
    below = tf.math.count_nonzero(samples < truth, 0, dtype=tf.int32)
    equal = tf.math.count_nonzero(tf.equal(samples, truth), 0, dtype=tf.int32)
    bins = (count + 1) ** 2
    found = tf.math.bincount(below * (count + 1) + equal, minlength=bins, maxlength=bins, axis=-1)
    shares = tf.cast(found, tf.float64) @ tf.constant(_shared_out(count))
    return shares / tf.cast(tf.shape(truth)[1], tf.float64)


@functools.cache
def _shared_out(count: int) -> np.ndarray:
    """`((count + 1)^2, count + 1)`: which ranks a value has, by samples below and equal to it."""
    ranks = np.arange(count + 1)
    below, equal = np.divmod(np.arange((count + 1) ** 2), count + 1)
    inside = (ranks >= below[:, None]) & (ranks <= (below + equal)[:, None])
    return inside / (equal + 1.0)[:, None]


@functools.cache
def directions(values: int) -> np.ndarray:
    """`(values, PROJECTIONS)`, fixed random directions that frames are projected onto, float32.

    Ranks of single pixels say nothing of how pixels depend on each other; those of projections do.
    """
    random = np.random.default_rng(0)
    return (random.normal(size=(values, PROJECTIONS)) / np.sqrt(values)).astype(np.float32)


def nominal_coverage(count: int) -> np.ndarray:
    """Of the central intervals that `count` samples state, widest first: their exact probability.

    Between the k-th smallest and the k-th largest of N samples lie N + 1 - 2k of N + 1 ranks.
    """
    trimmed = np.arange(1, count // 2 + 1)
    return (count + 1 - 2 * trimmed) / (count + 1)


def coverage(shares: np.ndarray) -> np.ndarray:
    """Share of truths inside each of the intervals of `nominal_coverage`.

    Args:
        shares: `(..., samples + 1)` of `rank_shares`.

    Returns:
        `(..., samples // 2)`.
    """
    count = shares.shape[-1] - 1
    inside = [shares[..., k : count + 1 - k].sum(-1) for k in range(1, count // 2 + 1)]
    return np.stack(inside, -1)


def rank_reliability(shares: np.ndarray) -> np.ndarray:
    """Sum of deviations from equal shares, in [0, 2): 0 for a flat histogram.

    Delle Monache et al., 2006, "reliability index".

    Args:
        shares: `(..., samples + 1)`.
    """
    return np.abs(shares - 1.0 / shares.shape[-1]).sum(-1)


def reliability_by_chance(standard_errors: np.ndarray) -> np.ndarray:
    """What `rank_reliability` of a calibrated forecast is expected to be, from sampling alone.

    Args:
        standard_errors: of the shares, `(..., samples + 1)`; a normal variable's mean absolute
            value is sqrt(2 / pi) of its standard deviation.
    """
    return np.sqrt(2.0 / np.pi) * standard_errors.sum(-1)


def mean_rank(shares: np.ndarray) -> np.ndarray:
    """Mean rank in [0, 1]: 0.5 without bias, above where the truth is brighter than the samples."""
    return shares @ np.linspace(0.0, 1.0, shares.shape[-1])
