"""All scores of a batch: sums and shares a frame, computed a few frames at a time."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from hvp.metrics.ensemble.crps import crps
from hvp.metrics.ensemble.energy import energy_score, squared_distances
from hvp.metrics.ensemble.features import lpips_features
from hvp.metrics.ensemble.kernel_score import KernelScore
from hvp.metrics.ensemble.ranks import directions, rank_shares
from hvp.metrics.ensemble.spread_skill import spread_and_skill
from hvp.metrics.ensemble.variogram import paired_values, variogram_score
from hvp.metrics.perceptual import LPIPS

# Sample values that are scored at once. CRPS pairs up to 16 samples: 0.3 GB of temporaries at most.
VALUES_AT_ONCE = 2**21
PIXELS_AT_ONCE = 2**19  # through LPIPS' network


@dataclasses.dataclass(frozen=True)
class Doubt:
    """Spread against skill, as `spread_and_skill` has them.

    Attributes:
        spread, skill: variance and squared error of the mean, `(batch, steps)`.
        maps: sums of both over frames, `(2, height, width)`.
    """

    spread: np.ndarray
    skill: np.ndarray
    maps: np.ndarray


@dataclasses.dataclass(frozen=True)
class BatchScores:
    """What the scorecard needs of a batch of N samples.

    Attributes:
        kernels: score -> its parts, `(batch, steps)`.
        doubt: `None` for N = 1.
        ranks: `pixels` and `projections` -> `(batch, steps, N + 1)`; empty for N = 1.
        to_truth, between: mean squared error over steps and pixels of each sample `(batch, N)`, and
            of each against each other `(batch, N, N)`.
    """

    kernels: dict[str, KernelScore]
    doubt: Doubt | None
    ranks: dict[str, np.ndarray]
    to_truth: np.ndarray
    between: np.ndarray


def score_batch(truth: tf.Tensor, samples: tf.Tensor) -> BatchScores:
    """Scores predicted frames.

    Args:
        truth: `(batch, steps, height, width, channels)`, float32 in [0, 1].
        samples: `(N, batch, steps, height, width, channels)`.
    """
    count, batch, steps, *frame = samples.shape
    values = int(np.prod(frame))
    flat_truth = tf.reshape(truth, (-1, values))
    flat_samples = tf.reshape(samples, (count, -1, values))
    graph, at_once = _graph(count, tuple(frame)), max(1, VALUES_AT_ONCE // (count * values))
    parts = [
        graph(flat_truth[first : first + at_once], flat_samples[:, first : first + at_once])
        for first in range(0, batch * steps, at_once)
    ]

    def per_frame(name: str) -> np.ndarray:
        found = np.concatenate([part[name] for part in parts])
        return found.reshape(batch, steps, *found.shape[1:])

    def summed(name: str) -> np.ndarray:
        return np.sum([part[name] for part in parts], 0).reshape(frame).mean(-1)

    several = count > 1
    doubt = None
    if several:
        maps = np.stack([summed("spread_map"), summed("skill_map")])
        doubt = Doubt(per_frame("spread"), per_frame("skill"), maps)
    return BatchScores(
        kernels={
            name: KernelScore(per_frame(f"{name}_to_truth"), per_frame(f"{name}_between"))
            for name in ("crps", "energy", "variogram")
        },
        doubt=doubt,
        ranks={k: per_frame(f"{k}_ranks") for k in ("pixels", "projections") if several},
        to_truth=per_frame("to_truth").mean(1) / values,
        between=per_frame("between").mean(1) / values,
    )


@functools.cache
def _graph(count: int, frame: tuple[int, int, int]) -> Callable[..., dict[str, tf.Tensor]]:
    values = math.prod(frame)
    return tf.function(
        functools.partial(_score_some, frame=frame),
        input_signature=[
            tf.TensorSpec([None, values], tf.float32),
            tf.TensorSpec([count, None, values], tf.float32),
        ],
        autograph=False,
    )


def _score_some(
    truth: tf.Tensor, samples: tf.Tensor, frame: tuple[int, int, int]
) -> dict[str, tf.Tensor]:
    """`(frames, values)` and `(N, frames, values)` to numbers a frame by name."""
    values = truth.shape[1]
    distances = squared_distances(truth, samples)
    chosen, weights = paired_values(*frame)
    kernels = {
        "crps": crps(truth, samples),
        "energy": energy_score(distances, values),
        "variogram": variogram_score(
            tf.gather(truth, chosen, axis=-1), tf.gather(samples, chosen, axis=-1), weights
        ),
    }
    found: dict[str, Any] = {"to_truth": distances.to_truth, "between": distances.between}
    for name, kernel in kernels.items():
        found |= {f"{name}_to_truth": kernel.to_truth, f"{name}_between": kernel.between}
    if samples.shape[0] == 1:
        return found
    spread, skill = spread_and_skill(truth, samples)
    found |= {"spread": tf.reduce_mean(spread, 1), "skill": tf.reduce_mean(skill, 1)}
    found |= {"spread_map": tf.reduce_sum(spread, 0), "skill_map": tf.reduce_sum(skill, 0)}
    # Truths are 8-bit frames: what differs by less than a level has the same rank.
    truth, samples = tf.round(truth * 255.0), tf.round(samples * 255.0)
    found["pixels_ranks"] = rank_shares(truth, samples)
    onto = tf.constant(directions(values))
    found["projections_ranks"] = rank_shares(truth @ onto, tf.tensordot(samples, onto, axes=1))
    return found


def score_features(network: LPIPS, truth: tf.Tensor, samples: tf.Tensor) -> dict[str, KernelScore]:
    """Energy and variogram scores on LPIPS features, `(batch, steps)` each.

    Args:
        network: with its weights.
        truth, samples: as of `score_batch`.
    """
    count, batch, steps, *frame = samples.shape
    flat_truth = tf.reshape(truth, (-1, *frame))
    flat_samples = tf.reshape(samples, (count, -1, *frame))
    at_once = max(1, PIXELS_AT_ONCE // ((count + 1) * frame[0] * frame[1]))
    found: dict[str, list[KernelScore]] = {"energy_lpips": [], "variogram_lpips": []}
    for first in range(0, batch * steps, at_once):
        some = slice(first, first + at_once)
        together = tf.concat([flat_truth[some][None], flat_samples[:, some]], 0)
        flat, short = _features(network, tf.reshape(together, (-1, *frame)))
        # (count + 1, frames, features): the truth, then the samples
        flat = tf.reshape(flat, (count + 1, -1, flat.shape[-1]))
        short = tf.reshape(short, (count + 1, -1, short.shape[-1]))
        found["energy_lpips"].append(energy_score(squared_distances(flat[0], flat[1:])))
        found["variogram_lpips"].append(variogram_score(short[0], short[1:]))
    return {
        name: KernelScore(
            *(
                np.concatenate([getattr(part, term) for part in parts]).reshape(batch, steps)
                for term in ("to_truth", "between")
            )
        )
        for name, parts in found.items()
    }


def _features(network: LPIPS, frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`lpips_features`, some frames at a time."""
    at_once = max(1, PIXELS_AT_ONCE // (frames.shape[1] * frames.shape[2]))
    parts = [
        lpips_features(network, frames[first : first + at_once])
        for first in range(0, frames.shape[0], at_once)
    ]
    return tf.concat([flat for flat, _ in parts], 0), tf.concat([short for _, short in parts], 0)
