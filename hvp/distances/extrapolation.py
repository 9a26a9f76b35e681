"""The Fréchet distance of infinitely many videos, from how it falls with their number.

Chong and Forsyth, "Effectively Unbiased FID and Inception Score and Where to Find Them", CVPR 2020:
to first order the bias is proportional to 1 / N, so that a line through the distances of several N
meets 1 / N = 0 at the distance without bias.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from hvp.distances.frechet import FeatureStatistics, frechet_distance_of_statistics
from hvp.errors import UserError, writing

NUMBERS = 6  # of videos, from a quarter of them to all
DRAWS = 4  # subsets of each number
REPLICATES = 30
_QUANTILE = 1.96
MIN_VIDEOS = 32


@dataclasses.dataclass(frozen=True)
class Extrapolated:
    """A Fréchet distance extrapolated to infinitely many videos.

    Attributes:
        value: where the line meets 1 / N = 0.
        interval: half width of its 95 % interval.
        numbers: `(points,)`, N of each.
        distances, spread: mean over subsets of N, and the half width of its 95 % interval over
            replicates, `(points,)`.
        slope: of the line, in distance times videos.
    """

    value: float
    interval: float
    numbers: np.ndarray
    distances: np.ndarray
    spread: np.ndarray
    slope: float


def extrapolated_frechet(
    features_a: np.ndarray,
    features_b: np.ndarray,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Extrapolated:
    """Extrapolates the Fréchet distance of two sets of features, `(count, features)` each.

    The interval is a bootstrap's that takes half of each set without replacement: drawing with
    replacement would repeat videos, which narrows covariances. Halves vary about the whole as the
    whole does about the truth (Shao and Wu, "A General Theory for Jackknife Variance Estimation",
    1989).

    Args:
        seed: of all subsets.
        replicates: of the bootstrap.

    Raises:
        UserError: for fewer than `MIN_VIDEOS` of either.
    """
    a, b = np.asarray(features_a, np.float64), np.asarray(features_b, np.float64)
    count = min(len(a), len(b))
    if count < MIN_VIDEOS:
        raise UserError(f"extrapolating FVD needs {MIN_VIDEOS} videos of each set, found {count}")
    random = np.random.default_rng(seed)
    a, b = a[random.permutation(len(a))[:count]], b[random.permutation(len(b))[:count]]
    numbers = _numbers(count)
    distances = _curve(a, b, numbers, DRAWS, random)
    slope, value = np.polyfit(1.0 / numbers, distances, 1)
    halves, curves, half_numbers = [], [], _numbers(count // 2)
    for _ in range(replicates):
        half_a, half_b = (x[random.permutation(count)[: count // 2]] for x in (a, b))
        curve = _curve(half_a, half_b, half_numbers, DRAWS, random)
        halves.append(np.polyfit(1.0 / half_numbers, curve, 1)[1])
        curves.append(curve)
    return Extrapolated(
        value=float(value),
        interval=float(_QUANTILE * np.std(halves, ddof=1)),
        numbers=numbers,
        distances=distances,
        spread=_QUANTILE * np.std(curves, axis=0, ddof=1),
        slope=float(slope),
    )


def _numbers(count: int) -> np.ndarray:
    """Evenly spaced in 1 / N."""
    return np.unique(np.rint(1.0 / np.linspace(4.0 / count, 1.0 / count, NUMBERS)).astype(int))


def _curve(
    a: np.ndarray, b: np.ndarray, numbers: np.ndarray, draws: int, random: np.random.Generator
) -> np.ndarray:
    """Mean distance of random subsets of each number."""
    return np.array(
        [
            np.mean(
                [
                    _distance(
                        a[random.permutation(len(a))[:number]],
                        b[random.permutation(len(b))[:number]],
                    )
                    for _ in range(1 if number == len(a) else draws)
                ]
            )
            for number in numbers
        ]
    )


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return frechet_distance_of_statistics(FeatureStatistics.of(a), FeatureStatistics.of(b))


def save_extrapolation(found: Extrapolated, path: Path) -> None:
    """Draws the distances over 1 / N and the line through them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 3.8), dpi=120, layout="constrained")
    panel = figure.subplots()
    inverse = 1.0 / found.numbers
    panel.errorbar(inverse, found.distances, found.spread, fmt="o", color="#2563eb", ms=4)
    line = np.array([0.0, inverse.max()])
    panel.plot(line, found.value + found.slope * line, "--", color="#6b7280", lw=1)
    panel.errorbar([0.0], [found.value], [found.interval], fmt="s", color="#d97706", capsize=4)
    panel.annotate(
        f"N = ∞: {found.value:.2f} ± {found.interval:.2f}",
        (0.0, found.value),
        textcoords="offset points",
        xytext=(10, -4),
        fontsize=9,
    )
    for number, distance in zip(found.numbers, found.distances, strict=True):
        panel.annotate(
            f"{number}", (1.0 / number, distance), textcoords="offset points", xytext=(4, 5), size=8
        )
    panel.set_xlabel("1 / N (labels: N)")
    panel.set_ylabel("Fréchet distance")
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)
    with writing(path):
        figure.savefig(path)
