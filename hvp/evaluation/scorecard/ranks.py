"""Rank histograms over the horizon, gathered batch by batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from hvp.metrics.ensemble.ranks import (
    coverage,
    mean_rank,
    nominal_coverage,
    rank_reliability,
    reliability_by_chance,
)
from hvp.metrics.statistics import ClusteredMean, Curve, CurveTally

_STANDARD_ERRORS = 1.96  # in the half width of an interval


@dataclasses.dataclass(frozen=True)
class RankHistogram:
    """Where the truth falls among N samples.

    Attributes:
        shares, interval: `(N + 1,)`, over the whole horizon; 1 / (N + 1) each if calibrated.
        reliability, by_chance: sum of deviations from that, and what a calibrated forecast would
            have of it with as many videos.
        step_shares: `(steps, N + 1)`.
        step_reliability, step_by_chance: `(steps,)`.
        mean_rank: in [0, 1], 0.5 without bias.
        nominal: `(N // 2,)`, of the central intervals that N samples state.
        coverage, coverage_interval: `(N // 2,)`, share of truths inside them.
        step_coverage: `(steps, N // 2)`.
    """

    shares: np.ndarray
    interval: np.ndarray
    reliability: float
    by_chance: float
    step_shares: np.ndarray
    step_reliability: np.ndarray
    step_by_chance: np.ndarray
    mean_rank: Curve
    nominal: np.ndarray
    coverage: np.ndarray
    coverage_interval: np.ndarray
    step_coverage: np.ndarray


class RankTally:
    """Gathers a `RankHistogram`."""

    def __init__(self) -> None:
        self._overall, self._steps = ClusteredMean(), ClusteredMean()
        self._inside, self._step_inside = ClusteredMean(), ClusteredMean()
        self._mean_rank = CurveTally()

    def update(self, shares: np.ndarray, videos: Sequence[str]) -> None:
        """Adds a batch's shares, `(batch, steps, N + 1)`."""
        inside = coverage(shares)
        self._steps.update(shares, videos)
        self._overall.update(shares.mean(1), videos)
        self._step_inside.update(inside, videos)
        self._inside.update(inside.mean(1), videos)
        self._mean_rank.update(mean_rank(shares), videos)

    def histogram(self) -> RankHistogram:
        shares, steps = self._overall.mean, self._steps.mean
        interval = self._overall.interval()
        return RankHistogram(
            shares=shares,
            interval=interval,
            reliability=float(rank_reliability(shares)),
            by_chance=float(reliability_by_chance(interval / _STANDARD_ERRORS)),
            step_shares=steps,
            step_reliability=rank_reliability(steps),
            step_by_chance=reliability_by_chance(self._steps.interval() / _STANDARD_ERRORS),
            mean_rank=self._mean_rank.curve(),
            nominal=nominal_coverage(len(shares) - 1),
            coverage=self._inside.mean,
            coverage_interval=self._inside.interval(),
            step_coverage=self._step_inside.mean,
        )
