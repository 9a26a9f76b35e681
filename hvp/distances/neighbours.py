"""Precision, recall, density and coverage: whether videos are plausible, and all kinds are there.

Kynkäänniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", NeurIPS
2019; Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", ICML 2020.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

NEIGHBOURS = 5  # Naeem et al.'s


class Neighbourhoods(NamedTuple):
    """Of generated videos among real ones; each set has a ball around each of its members, as wide
    as the distance to its k-th nearest one.

    Attributes:
        precision: share of generated videos inside a real one's ball.
        recall: share of real videos inside a generated one's ball.
        density: in how many real balls a generated video lies, over k; may exceed 1.
        coverage: share of real videos whose ball holds a generated one.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhoods(real: np.ndarray, fake: np.ndarray, k: int = NEIGHBOURS) -> Neighbourhoods:
    """Compares features, `(count, features)` each.

    Raises:
        ValueError: unless both sets have more than `k` members and the same features.
    """
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise ValueError(f"features must be (count, features), got {real.shape} and {fake.shape}")
    if min(len(real), len(fake)) <= k:
        raise ValueError(f"{k} neighbours need more than {k} vectors in each set")
    between = _squared_distances(real, fake)  # (real, fake)
    in_real = between < _radii(real, k)[:, None]
    in_fake = between < _radii(fake, k)[None]
    return Neighbourhoods(
        precision=float(in_real.any(0).mean()),
        recall=float(in_fake.any(1).mean()),
        density=float(in_real.sum(0).mean() / k),
        coverage=float(in_real.any(1).mean()),
    )


def _radii(features: np.ndarray, k: int) -> np.ndarray:
    """Squared distance of each vector to its k-th nearest other one."""
    distances = _squared_distances(features, features)
    np.fill_diagonal(distances, np.inf)
    return np.partition(distances, k - 1, axis=1)[:, k - 1]


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squares = np.square(a).sum(1)[:, None] + np.square(b).sum(1)[None] - 2 * a @ b.T
    return np.maximum(squares, 0.0)
