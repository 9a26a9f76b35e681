"""The kernel video distance: maximum mean discrepancy of features, unbiased at every number.

Binkowski et al., "Demystifying MMD GANs", ICLR 2018: the kernel (x y / features + 1)^3, which the
kernel inception distance is made with.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class KernelDistance(NamedTuple):
    """Squared maximum mean discrepancy.

    Attributes:
        value: its unbiased estimate; around 0, and below as often as above, for equal laws.
        stddev: the estimate's standard deviation.
    """

    value: float
    stddev: float


def kernel_distance(features_a: np.ndarray, features_b: np.ndarray) -> KernelDistance:
    """Distance of two sets of features, `(count, features)` each.

    Its variance is the jackknife's: what leaving out one vector at a time changes.

    Raises:
        ValueError: for fewer than three vectors, or different numbers of features.
    """
    a, b = np.asarray(features_a, np.float64), np.asarray(features_b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 3:
        raise ValueError(
            "features must be (at least three, features) with the same features, received "
            f"{a.shape} and {b.shape}"
        )
    own_a, own_b = _means_without(_kernel(a, a)), _means_without(_kernel(b, b))
    cross = _kernel(a, b)
    value = own_a.all + own_b.all - 2 * cross.mean()
    # the estimate without each vector of a, then of b
    total = cross.sum()
    without_a = own_a.without + own_b.all - 2 * (total - cross.sum(1)) / ((len(a) - 1) * len(b))
    without_b = own_b.without + own_a.all - 2 * (total - cross.sum(0)) / ((len(b) - 1) * len(a))
    variance = sum((len(w) - 1) * np.mean(np.square(w - w.mean())) for w in (without_a, without_b))
    return KernelDistance(float(value), float(np.sqrt(variance)))


class _Means(NamedTuple):
    all: float
    without: np.ndarray  # each vector


def _means_without(kernel: np.ndarray) -> _Means:
    """Means over pairs of different vectors."""
    count = len(kernel)
    pairs = kernel - np.diag(np.diag(kernel))
    total = pairs.sum()
    rest = total - 2 * pairs.sum(1)
    return _Means(total / (count * (count - 1)), rest / ((count - 1) * (count - 2)))


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a @ b.T / a.shape[1] + 1.0) ** 3
