"""Best of n as a curve over n, and what a calibrated forecast of the same law would get."""

from __future__ import annotations

import functools
import math

import numpy as np


def best_of(errors: np.ndarray) -> np.ndarray:
    """Expected best of n samples drawn from those that there are, for every n.

    Every subset of n counts alike, so that the curve does not depend on the samples' order.

    Args:
        errors: `(..., samples)`, lower is better.

    Returns:
        `(..., samples)`: best of 1 (the mean), of 2, ..., of all.
    """
    return np.sort(errors, -1) @ _chances(errors.shape[-1]).T


def calibrated_best_of(between: np.ndarray) -> np.ndarray:
    """Best of n if the truth were drawn from the forecast's own law.

    Each sample in turn is taken for the truth, and the others for the forecast. A model whose best
    of n lies above is too sure of itself or wrong; one that lies below scatters too much.

    Args:
        between: `(..., samples, samples)`, errors of samples against each other.

    Returns:
        `(..., samples - 1)`: best of 1, ..., of all but the one that is the truth.
    """
    count = between.shape[-1]
    others = ~np.eye(count, dtype=bool)
    errors = between[..., others].reshape(*between.shape[:-2], count, count - 1)
    return best_of(errors).mean(-2)


@functools.cache
def _chances(count: int) -> np.ndarray:
    """`(n, i)`: the probability that the i-th smallest of `count` is the smallest of n drawn."""
    return np.array(
        [
            [math.comb(count - i, n - 1) / math.comb(count, n) for i in range(1, count + 1)]
            for n in range(1, count + 1)
        ]
    )
