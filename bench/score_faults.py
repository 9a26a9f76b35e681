"""Which score sees which fault: an oracle of a toy law beside perturbed ones.

    python bench/score_faults.py [--contexts 3000] [--samples 20]

A frame of 12x12 shows a disc on the left (60 %) or on the right (40 %), and grey noise whose
neighbouring pixels belong together. The oracle draws from this law; each other forecaster has one
fault. Every score is computed by the code of `hvp evaluate` and printed as a table: bold where it
is farther from the oracle's than both intervals explain.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable

import numpy as np

SIDE, NOISE, DISC, LEFT = 12, 0.05, 0.3, 0.6
Forecaster = Callable[[np.random.Generator, int, int], np.ndarray]


def discs(at_left: np.ndarray) -> np.ndarray:
    """`(..., SIDE, SIDE, 1)` for booleans `(...)`: grey 0.4 and a disc in one half."""
    y, x = np.mgrid[:SIDE, :SIDE]

    def disc(centre: float) -> np.ndarray:
        return (np.hypot(y - SIDE / 2 + 0.5, x - centre) < SIDE / 5)[..., None] * DISC

    return 0.4 + np.where(at_left[..., None, None, None], disc(2.5), disc(SIDE - 3.5))


def field(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Noise of standard deviation `NOISE` that neighbours share: `(*shape, SIDE, SIDE, 1)`."""
    noise = random.normal(size=(*shape, SIDE + 2, SIDE + 2))
    shifts = itertools.product(range(3), range(3))
    smooth = sum(noise[..., i : i + SIDE, j : j + SIDE] for i, j in shifts)
    return NOISE / 3 * smooth[..., None]


def oracle(random: np.random.Generator, *shape: int) -> np.ndarray:
    return discs(random.uniform(size=shape) < LEFT) + field(random, *shape)


def with_noise(scale: float) -> Forecaster:
    def draw(random: np.random.Generator, *shape: int) -> np.ndarray:
        return discs(random.uniform(size=shape) < LEFT) + scale * field(random, *shape)

    return draw


def one_mode(random: np.random.Generator, *shape: int) -> np.ndarray:
    return discs(np.ones(shape, bool)) + field(random, *shape)


def half_each(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Both modes, the rare one too often."""
    return discs(random.uniform(size=shape) < 1 - LEFT) + field(random, *shape)


def unrelated_pixels(random: np.random.Generator, *shape: int) -> np.ndarray:
    discs_ = discs(random.uniform(size=shape) < LEFT)
    return discs_ + NOISE * random.normal(size=discs_.shape)


def mean(random: np.random.Generator, *shape: int) -> np.ndarray:
    """What a model trained by squared error gives: the law's mean, certain of it."""
    modes = LEFT * discs(np.array(True)) + (1 - LEFT) * discs(np.array(False))
    return np.broadcast_to(modes, (*shape, SIDE, SIDE, 1))


FORECASTERS: dict[str, Forecaster] = {
    "oracle": oracle,
    "too narrow (noise / 2)": with_noise(0.5),
    "too wide (noise x 2)": with_noise(2.0),
    "biased (+ 0.02)": lambda random, *shape: oracle(random, *shape) + 0.02,
    "one mode missing": one_mode,
    "modes' chances swapped": half_each,
    "pixels unrelated": unrelated_pixels,
    "mean of the law": mean,
}


def scorecards(contexts: int, samples: int, names: list[str] | None = None) -> dict[str, dict]:
    """Forecaster -> score -> `(value, half width of its interval)`; the same truths for all."""
    from hvp.evaluation.scorecard.tally import ScorecardTally

    truth = oracle(np.random.default_rng(0), contexts, 1).astype(np.float32)
    found = {}
    for number, name in enumerate(names or FORECASTERS, 1):
        random = np.random.default_rng(number)
        tally = ScorecardTally(1, samples, stochastic=True)
        tally.keep(FORECASTERS[name](random, samples, contexts, 1).astype(np.float32))
        tally.update(truth, truth, [str(i) for i in range(contexts)])
        found[name] = numbers(tally.result())
    return found


def numbers(card) -> dict[str, tuple[float, float]]:
    scores = {
        name: (card.scores[name]["score"].overall, card.scores[name]["score"].overall_interval)
        for name in ("crps", "energy", "variogram")
    }
    scores |= {name: (c.overall, c.overall_interval) for name, c in card.ratios.items()}
    for kind, ranks in card.ranks.items():
        scores[f"rank reliability, {kind}"] = (ranks.reliability, ranks.by_chance)
        scores[f"widest interval, {kind}"] = (ranks.coverage[0], ranks.coverage_interval[0])
    ranks = card.ranks["pixels"].mean_rank
    scores["mean rank"] = (ranks.overall, ranks.overall_interval)
    best = card.best_of["squared_error"]
    scores["best of N"] = (best.mean[-1], best.interval[-1])
    scores["best of n, over the calibrated"] = (
        best.mean[-2] / best.calibrated[-1] if best.calibrated[-1] > 0 else np.inf,
        best.interval[-2] / best.calibrated[-1] if best.calibrated[-1] > 0 else 0.0,
    )
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contexts", type=int, default=3000)
    parser.add_argument("--samples", type=int, default=20)
    arguments = parser.parse_args()
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    found = scorecards(arguments.contexts, arguments.samples)
    print(f"| score | {' | '.join(found)} |")
    print(f"|---|{'---:|' * len(found)}")
    for score, (honest, width) in found["oracle"].items():
        cells = []
        for values in found.values():
            value, own = values[score]
            sees = abs(value - honest) > np.nan_to_num(own) + width
            cells.append(f"**{value:.4f}**" if sees else f"{value:.4f}")
        print(f"| {score} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
