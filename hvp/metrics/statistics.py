"""Means and confidence intervals that are gathered batch by batch."""

from __future__ import annotations

import dataclasses

import numpy as np

CONFIDENCE = "95 %, normal approximation: mean +/- 1.96 s / sqrt(n) over the n contexts"
_QUANTILE = 1.96


class RunningMoments:
    """Mean and variance of rows that arrive in batches (Welford's method, batch form).

    Memory is one row, whatever the number of rows, and the result does not depend on how they are
    batched.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = np.zeros(())
        self._squares = np.zeros(())  # sums of squared deviations from the mean

    def update(self, rows: np.ndarray) -> None:
        """Adds `rows`, shape `(n, ...)`."""
        rows = np.asarray(rows, np.float64)
        count, mean = len(rows), rows.mean(0)
        squares = np.square(rows - mean).sum(0)
        if not self.count:
            self.count, self.mean, self._squares = count, mean, squares
            return
        total = self.count + count
        shift = mean - self.mean
        self._squares = self._squares + squares + shift**2 * (self.count * count / total)
        self.mean = self.mean + shift * (count / total)
        self.count = total

    def stddev(self) -> np.ndarray:
        """Sample standard deviation, `(...)`; NaN where a single row leaves it undefined."""
        if self.count < 2:
            return np.full_like(self.mean, np.nan)
        return np.sqrt(self._squares / (self.count - 1))

    def interval(self) -> np.ndarray:
        """Half width of the 95 % confidence interval of the mean, `(...)`; NaN for a single row."""
        return _QUANTILE * self.stddev() / np.sqrt(self.count)


@dataclasses.dataclass(frozen=True)
class Curve:
    """One metric over the horizon, averaged over contexts.

    Attributes:
        mean, interval: `(horizon,)`, the mean and the half width of its 95 % interval per frame.
        overall, overall_interval: the same of the mean over the horizon.
    """

    mean: np.ndarray
    interval: np.ndarray
    overall: float
    overall_interval: float


class CurveTally:
    """Gathers a `Curve` from `(examples, horizon)` values, batch by batch."""

    def __init__(self) -> None:
        self._frames, self._overall = RunningMoments(), RunningMoments()

    def update(self, values: np.ndarray) -> None:
        self._frames.update(values)
        self._overall.update(values.mean(1))

    def curve(self) -> Curve:
        return Curve(
            self._frames.mean,
            self._frames.interval(),
            float(self._overall.mean),
            float(self._overall.interval()),
        )
