"""What a sampled future shows: the branch it takes at every fork, its lamp, and whether it can be.

Every future that the law allows is rendered, and a sample is read as the nearest of them. The lamp
has its own pixels, which are left out when branches are read.
"""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import numpy as np

from hvp.data.sources.forking_shapes import (
    BRANCHES,
    FORK_EVERY,
    LAMP_COLOUR,
    LAMP_EVERY,
    LAMP_GREY,
    Future,
    Start,
    lamp_region,
    lamp_ticks,
    render,
)

TOLERANCE = 0.25
"""A frame is impossible when its squared error is beyond this share of the shape's energy, as that
of a shape a tenth of its width beside its place is, or of the mean of several branches."""


class Reading(NamedTuple):
    """What samples of one context show; `samples` of them.

    Attributes:
        outcome: `(samples,)`, index into `outcomes(forks)`.
        possible_frames: `(samples,)`, predicted frames until it stops being a possible video.
        lamp: `(samples, ticks)`, whether the lamp is lit after each tick of the horizon.
    """

    outcome: np.ndarray
    possible_frames: np.ndarray
    lamp: np.ndarray


def outcomes(forks: int) -> list[tuple[int, ...]]:
    """Every sequence of branches, in the order of `Law.outcomes`."""
    return list(itertools.product(range(len(BRANCHES)), repeat=forks))


def read_samples(samples: np.ndarray, start: Start, forks: int, context: int) -> Reading:
    """Reads the samples of one context.

    Args:
        samples: `(samples, horizon, height, width, channels)`, float32 in [0, 1].
        start: what the context shows.
        forks: `data.forks`.
        context: frames of it; at most 10, the forks are after them.
    """
    horizon, *size = samples.shape[1:]
    shapes = _possible(start._replace(lamp=False), forks, context + horizon, *size)[:, context:]
    region = lamp_region(*size[:2])
    errors = _squared_errors(samples, shapes, ~region)  # (samples, outcomes, horizon)
    outcome = errors.sum(2).argmin(1)
    energy = np.square(shapes[:, :, ~region]).sum((2, 3))  # (outcomes, horizon)
    wrong = errors > TOLERANCE * energy
    frames = np.where(wrong.any(2), wrong.argmax(2), horizon)  # until each outcome is left
    return Reading(outcome, frames.max(1), _lamp(samples, shapes[outcome], region, context))


@functools.lru_cache(maxsize=128)
def _possible(start: Start, forks: int, num_frames: int, *size: int) -> np.ndarray:
    """Every future without a lamp: `(outcomes, num_frames, height, width, channels)`."""
    dark = (False,) * lamp_ticks(num_frames)
    frames = [render(start, Future(o, dark), num_frames, *size) for o in outcomes(forks)]
    return np.stack(frames).astype(np.float32) / 255


def _squared_errors(samples: np.ndarray, shapes: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Sums over the pixels `where`, of each pair: `(samples, outcomes, horizon)`."""
    ours, theirs = samples[:, :, where], shapes[:, :, where]  # (n, horizon, pixels, channels)
    square = np.square(ours).sum((2, 3))[:, None] + np.square(theirs).sum((2, 3))[None]
    return square - 2 * np.einsum("stpc,otpc->sot", ours, theirs, optimize=True)


def _lamp(samples: np.ndarray, shapes: np.ndarray, region: np.ndarray, context: int) -> np.ndarray:
    """Whether more of the lamp is there than not, in the frames after each tick."""
    level = LAMP_GREY if samples.shape[-1] == 1 else max(LAMP_COLOUR)
    pixels, shape = samples[:, :, region].max(-1), shapes[:, :, region].max(-1)
    free = shape == 0  # where the shape does not hide the lamp
    lit = np.where(free, pixels > level / 2, 0).sum(2) / np.maximum(free.sum(2), 1)
    ticks = (context + np.arange(samples.shape[1]) - FORK_EVERY) // LAMP_EVERY
    shown = [lit[:, ticks == tick].mean(1) > 0.5 for tick in range(ticks[-1] + 1)]
    return np.stack(shown, 1) if shown else np.zeros((len(samples), 0), bool)
