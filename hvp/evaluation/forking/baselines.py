"""Forecasts whose place on every scale is known: the law itself, no motion, and the law's mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hvp.data.sources.forking_shapes import (
    FORK_EVERY,
    LAMP_EVERY,
    Future,
    Law,
    lamp_ticks,
    render,
)


def draw_futures(
    law: Law, num_frames: int, number: int, random: np.random.Generator
) -> list[Future]:
    """Draws from the law."""
    return [law.sample(random, num_frames) for _ in range(number)]


def frames_of(futures: Sequence[Future], context: np.ndarray, law: Law, horizon: int) -> np.ndarray:
    """The frames after the context: float32 `(futures, horizon, height, width, channels)`."""
    total = len(context) + horizon
    frames = {f: render(law.start, f, total, *context.shape[1:]) for f in set(futures)}
    return np.stack([frames[f] for f in futures])[:, len(context) :].astype(np.float32) / 255


Forecast = Callable[[np.ndarray, Law, int, int, np.random.Generator], np.ndarray]


def oracle(
    context: np.ndarray, law: Law, horizon: int, number: int, random: np.random.Generator
) -> np.ndarray:
    """Samples of the true law: `(number, horizon, height, width, channels)`."""
    drawn = draw_futures(law, len(context) + horizon, number, random)
    return frames_of(drawn, context, law, horizon)


def copy_last(
    context: np.ndarray, law: Law, horizon: int, number: int, random: np.random.Generator
) -> np.ndarray:
    """The last frame, repeated."""
    return np.broadcast_to(context[-1], (number, horizon, *context.shape[1:]))


def mean_law(
    context: np.ndarray, law: Law, horizon: int, number: int, random: np.random.Generator
) -> np.ndarray:
    """The mean of all futures, which has the least squared error: what a perfect deterministic
    model predicts."""
    total = len(context) + horizon
    size, ticks = context.shape[1:], lamp_ticks(total)
    lit_after = law.lamp(ticks)
    mean = np.zeros((total, *size), np.float32)
    for branches, probability in law.outcomes().items():
        dark, lit = (
            render(law.start, Future(branches, (lamp,) * ticks), total, *size) / np.float32(255)
            for lamp in (False, True)
        )
        for tick, share in enumerate(lit_after):
            first = FORK_EVERY + LAMP_EVERY * tick
            frames = slice(first, first + LAMP_EVERY)
            mean[frames] += probability * (share * lit[frames] + (1 - share) * dark[frames])
    return np.broadcast_to(mean[len(context) :], (number, horizon, *size))


BASELINES: dict[str, Forecast] = {
    "oracle": oracle,
    "mean of the law": mean_law,
    "copy last frame": copy_last,
}
