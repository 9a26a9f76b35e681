"""How far sampled futures are from the law that the true ones follow."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from hvp.data.sources.forking_shapes import KINDS, Law
from hvp.evaluation.forking.read_out import Reading, outcomes

LIKELY = 0.05
"""An outcome of at least this probability is a mode that samples should visit."""
CALIBRATION_BINS = np.linspace(0, 1, 6)


@dataclasses.dataclass
class LawScores:
    """Adds up what `Reading`s of many contexts say. See `summary`.

    Args:
        forks: `data.forks`.
        horizon: frames of each sample.
    """

    forks: int
    horizon: int

    def __post_init__(self) -> None:
        self._rows: dict[str, list[float]] = {}
        self._pooled: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        self._forecasts: list[tuple[np.ndarray, int]] = []

    def add(self, law: Law, reading: Reading, truth: int) -> None:
        """Adds one context.

        Args:
            law: of what follows it.
            reading: of its samples.
            truth: index of the outcome that its own video took.
        """
        exact = np.array(list(law.outcomes().values()))
        number = len(reading.outcome)
        counts = np.bincount(reading.outcome, minlength=len(exact)).astype(float)
        smoothed = (counts + 0.5) / (number + 0.5 * len(exact))  # as Jeffreys' prior has it
        modes = exact >= LIKELY
        unseen = (1 - exact[modes]) ** number
        rare = np.array([outcome[0] for outcome in outcomes(self.forks)]) == law.branch.argmin()
        self._append(
            total_variation=total_variation(counts / number, exact),
            total_variation_of_oracle=expected_total_variation(exact, number),
            kl=float(np.sum(exact * np.log(np.maximum(exact, 1e-300) / smoothed))),
            log_score=-math.log(smoothed[truth]),
            log_score_of_law=-math.log(max(exact[truth], 1e-300)),
            modes_visited=float(np.mean(counts[modes] > 0)),
            modes_visited_by_oracle=float(np.mean(1 - unseen)),
            rare_branch=float(counts[rare].sum() / number),
            rare_branch_of_law=float(exact[rare].sum()),
            possible_frames=float(reading.possible_frames.mean()),
            possible_to_the_end=float(np.mean(reading.possible_frames == self.horizon)),
            lamp_error=_lamp_error(reading.lamp, law),
        )
        self._pooled.setdefault(law.start.kind, []).append((counts, exact))
        self._forecasts.append((counts / number, truth))

    def _append(self, **values: float) -> None:
        for name, value in values.items():
            self._rows.setdefault(name, []).append(value)

    def summary(self) -> dict[str, Any]:
        """Means over contexts with 95 % half widths, and what needs many contexts.

        - `total_variation`: half the sum of |frequency - probability| over outcomes; an oracle that
          draws as many samples from the law is expected at `..._of_oracle`, not at 0.
        - `kl`: from the law to the samples' frequencies, half a count added to each, in nats.
        - `log_score`: of the outcome that came, by the same frequencies; the law's own beside it.
        - `modes_visited`: share of the outcomes of probability 0.05 and more with any sample.
        - `rare_branch`: frequency of the rarest branch at the first fork.
        - `possible_frames`, `possible_to_the_end`: until a sample stops being a possible video.
        - `lamp_error`: mean |frequency - probability| of a lit lamp over ticks.
        - `pooled_total_variation` by kind of shape: all contexts of one cue taken together.
        - `calibration`: by frequency among the samples, how often the outcome came true.
        """
        result: dict[str, Any] = {"contexts": len(self._forecasts)}
        for name, values in self._rows.items():
            column = np.asarray(values)
            spread = column.std(ddof=1) if len(column) > 1 else math.nan
            result[name] = {
                "mean": float(column.mean()),
                "interval": float(1.96 * spread / math.sqrt(len(column))),
            }
        result["pooled_total_variation"] = {
            KINDS[kind]: self._pooled_variation(kind) for kind in sorted(self._pooled)
        }
        result["calibration"] = self._calibration()
        return result

    def _pooled_variation(self, kind: int) -> dict[str, float]:
        counts = np.sum([counts for counts, _ in self._pooled[kind]], axis=0)
        exact, number = self._pooled[kind][0][1], int(counts.sum())
        return {
            "value": total_variation(counts / number, exact),
            "of_oracle": expected_total_variation(exact, number),
        }

    def _calibration(self) -> list[dict[str, float]]:
        forecast = np.array([frequencies for frequencies, _ in self._forecasts])
        came = np.zeros_like(forecast)
        came[np.arange(len(came)), [truth for _, truth in self._forecasts]] = 1
        places = np.clip(np.digitize(forecast, CALIBRATION_BINS) - 1, 0, len(CALIBRATION_BINS) - 2)
        return [
            {
                "forecast": float(forecast[places == place].mean()),
                "came_true": float(came[places == place].mean()),
                "count": int((places == place).sum()),
            }
            for place in np.unique(places)
        ]


def total_variation(first: np.ndarray, second: np.ndarray) -> float:
    """Half the sum of the differences of two distributions: in [0, 1]."""
    return float(np.abs(first - second).sum() / 2)


def expected_total_variation(exact: np.ndarray, number: int) -> float:
    """Of the frequencies among `number` samples of the law from the law itself.

    De Moivre's mean deviation of a binomial count X of n trials: E|X - np| is
    2 k C(n, k) p^k (1 - p)^(n - k + 1) with k = floor(np) + 1.
    """
    total = 0.0
    for p in exact[(exact > 0) & (exact < 1)]:
        k = math.floor(number * p) + 1
        log = math.lgamma(number + 1) - math.lgamma(k + 1) - math.lgamma(number - k + 1)
        log += k * math.log(p) + (number - k + 1) * math.log1p(-p)
        total += 2 * k * math.exp(log) / number
    return total / 2


def _lamp_error(lamp: np.ndarray, law: Law) -> float:
    if not lamp.shape[1]:
        return 0.0
    return float(np.abs(lamp.mean(0) - law.lamp(lamp.shape[1])).mean())
