"""Means and confidence intervals that are gathered batch by batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

CONFIDENCE = (
    "95 %, normal approximation: mean +/- 1.96 standard errors over the videos; contexts of one "
    "video count as one observation of it"
)
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


class ClusteredMean:
    """Mean of rows, and its standard error where rows come in clusters: windows of one video.

    Neighbouring windows resemble each other, so that they are worth less than as many videos. With
    sums S_g and numbers n_g of the rows of G clusters, and mean m of all n rows, the error's square
    is G / (G - 1) * sum_g (S_g - n_g m)^2 / n^2 (the sandwich estimator of a mean): the usual
    s^2 / n where every cluster has one row.

    Rows of a cluster follow each other. Memory is a few rows, whatever their number.
    """

    def __init__(self) -> None:
        self.count, self.clusters = 0, 0
        self._label: str | None = None
        self._rows = 0  # of the cluster that the last row was in
        self._shift = np.zeros(())  # of all rows, so that squares stay small

    def update(self, rows: np.ndarray, labels: Sequence[str]) -> None:
        """Adds `rows`, shape `(n, ...)`; `labels` name their clusters."""
        for row, label in zip(np.asarray(rows, np.float64), labels, strict=True):
            if not self.count:
                self._shift = row
                self._sum, self._finished, self._products, self._squares = np.zeros((4, *row.shape))
                self._sizes = 0.0
            if label != self._label:
                self._finish_cluster()
                self._label, self.clusters = label, self.clusters + 1
            self._sum += row - self._shift
            self._rows += 1
            self.count += 1

    def _finish_cluster(self) -> None:
        self._finished, self._products, self._squares, self._sizes = self._with_last()
        self._sum, self._rows = np.zeros_like(self._sum), 0

    def _with_last(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Sums over clusters, the last one included, of S, n S, S^2 and n^2."""
        total, rows = self._sum, self._rows
        return (
            self._finished + total,
            self._products + rows * total,
            self._squares + total**2,
            self._sizes + rows**2,
        )

    @property
    def mean(self) -> np.ndarray:
        """`(...)`."""
        return self._shift + self._with_last()[0] / self.count

    def interval(self) -> np.ndarray:
        """Half width of the mean's 95 % confidence interval, `(...)`; NaN for a single cluster."""
        if self.clusters < 2:
            return np.full_like(self._shift, np.nan)
        total, products, squares, sizes = self._with_last()
        mean = total / self.count
        spread = np.maximum(squares - 2 * mean * products + mean**2 * sizes, 0)
        correction = self.clusters / (self.clusters - 1)
        return _QUANTILE * np.sqrt(correction * spread) / self.count


def mean_and_interval(values: np.ndarray, labels: Sequence[str]) -> tuple[float, float]:
    """Mean of `(n,)` values and half the width of its 95 % interval over clusters.

    Differences of two experiments' values on the same examples give the interval of a paired
    comparison: what makes an example hard for both falls out.

    Args:
        labels: the cluster of each value; those of one follow each other.
    """
    tally = ClusteredMean()
    tally.update(values, labels)
    return float(tally.mean), float(tally.interval())


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
        self._frames, self._overall = ClusteredMean(), ClusteredMean()

    def update(self, values: np.ndarray, videos: Sequence[str]) -> None:
        """Adds a batch's values; `videos` name those that the examples are of."""
        self._frames.update(values, videos)
        self._overall.update(values.mean(1), videos)

    def curve(self) -> Curve:
        return Curve(
            self._frames.mean,
            self._frames.interval(),
            float(self._overall.mean),
            float(self._overall.interval()),
        )


class RatioTally:
    """Gathers the quotient of two means over the horizon, batch by batch, with its interval.

    A quotient's error is that of the mean of a - R b, divided by the mean of b (the delta method).
    Memory is a row of each a context.

    Args:
        root: the square root of the quotient, for variances.
    """

    def __init__(self, root: bool = False) -> None:
        self._root = root
        self._above: list[np.ndarray] = []
        self._below: list[np.ndarray] = []
        self._videos: list[str] = []

    def update(self, above: np.ndarray, below: np.ndarray, videos: Sequence[str]) -> None:
        """Adds a batch's `(examples, horizon)` values; `videos` name those that they are of."""
        self._above.append(np.asarray(above, np.float64))
        self._below.append(np.asarray(below, np.float64))
        self._videos.extend(videos)

    def curve(self) -> Curve:
        """NaN where the lower mean is 0."""
        above, below = np.concatenate(self._above), np.concatenate(self._below)
        mean, interval = self._quotient(above, below)
        overall = self._quotient(above.mean(1, keepdims=True), below.mean(1, keepdims=True))
        return Curve(mean, interval, float(overall[0][0]), float(overall[1][0]))

    def _quotient(self, above: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ratio of the means over rows and its half width, `(columns,)` each."""
        top, bottom = above.mean(0), below.mean(0)
        ratio = np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)
        residuals = ClusteredMean()
        residuals.update(above - ratio * below, self._videos)
        interval = residuals.interval() / np.where(bottom > 0, bottom, np.nan)
        if not self._root:
            return ratio, interval
        root = np.sqrt(ratio)
        # a root without slope: nothing to say where no sample differs
        return root, np.divide(interval, 2 * root, out=np.full_like(root, np.nan), where=root > 0)
