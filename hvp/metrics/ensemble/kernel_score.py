"""What CRPS, energy and variogram scores have in common, and the two parts of each."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class KernelScore:
    """A score E d(X, y) - E d(X, X') / 2 of samples X around the truth y; lower is better.

    Gneiting and Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation", JASA 2007,
    section 5. The second mean is over pairs of different samples, which makes the score fair: its
    expectation is that of infinitely many samples (Ferro, "Fair scores for ensemble forecasts",
    2014). It can come out slightly below 0 for a few samples.

    If the truth is drawn from the forecast's law, E d(X, y) = E d(X, X'). So the score is the sum
    of what an honest forecast of this spread would get (`spread`), and of how much farther the
    truth is than the samples are from one another (`reliability`).

    Attributes:
        to_truth: E d(X, y), any shape.
        between: E d(X, X'), the same; 0 for a single sample, a point forecast.
    """

    to_truth: Any
    between: Any

    @property
    def score(self) -> Any:
        return self.to_truth - 0.5 * self.between

    @property
    def spread(self) -> Any:
        """The score if the forecast were calibrated; small for a sharp one."""
        return 0.5 * self.between

    @property
    def reliability(self) -> Any:
        """0 for a calibrated forecast, above for one that is too sure or wrong, below for one that
        scatters too much."""
        return self.to_truth - self.between
