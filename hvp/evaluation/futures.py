"""A model's sampled futures, a few at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import tensorflow as tf

from hvp.errors import UserError
from hvp.models.base import VideoModel
from hvp.models.seeds import fold_in

if TYPE_CHECKING:
    from hvp.evaluation.cost import CostMeter

# Samples that share one rollout. Constant, so that a sample's noise depends on the seed, the
# example's place in the data and the sample's number only, never on batch size or N.
SAMPLES_AT_ONCE = 5
# Predicted values that are in memory at once, several times, and the frames of a part.
VALUES_AT_ONCE = 2**24
LEAST_FRAMES, MOST_FRAMES = 8, 128


def sampled_futures(
    model: VideoModel,
    context: tf.Tensor,
    horizon: int,
    num_samples: int,
    seed: int,
    names: Sequence[str],
    first: int = 0,
) -> Iterator[tf.Tensor]:
    """Rolls the model out from each context.

    Args:
        model: a predictor.
        context: `(batch, time, height, width, channels)`, float32 in [0, 1].
        seed: decides all sampling.
        names: of the batch's examples, for errors.
        first: the place in the data of the batch's first example.

    Yields:
        Up to `SAMPLES_AT_ONCE` of them: `(samples, batch, horizon, height, width, channels)`.

    Raises:
        UserError: for predictions that are not finite.
    """
    for count, seeds in _groups(num_samples, seed, first, len(names)):
        predicted = model.rollout(context, horizon, count, seeds)
        check_prediction(predicted, (count, len(names), horizon, *context.shape[2:]), names)
        yield predicted


def future_parts(
    model: VideoModel | CostMeter,
    context: tf.Tensor,
    horizon: int,
    num_samples: int,
    seed: int,
    names: Sequence[str],
    first: int = 0,
    clip: bool = True,
    masks: tf.Tensor | None = None,
    part: int | None = None,
) -> Iterator[tuple[int, Iterator[tf.Tensor]]]:
    """The same futures, a part of the horizon after the other, in bounded memory.

    Args:
        model: a predictor, or what measures one.
        clip: whether frames are clipped to [0, 1].
        masks: of the context's frames, for a model that needs them.
        part: frames of a part at most; by default as many as fit into some memory.

    Yields:
        The number of a part's first frame, from 0, and its futures, up to `SAMPLES_AT_ONCE` at a
        time: `(samples, batch, part, height, width, channels)`. Take them all before the next part.

    Raises:
        UserError: for predictions that are not finite.
    """
    if part is None:
        part = frames_at_once(min(num_samples, SAMPLES_AT_ONCE), context)
    rollouts = [
        model.rollout_parts(context, horizon, count, seeds, clip=clip, masks=masks, part=part)
        for count, seeds in _groups(num_samples, seed, first, len(names))
    ]
    start = length = 0

    def futures() -> Iterator[tf.Tensor]:
        nonlocal length
        for rollout in rollouts:
            predicted = next(rollout)
            samples, _, length = predicted.shape[:3]
            check_prediction(predicted, (samples, len(names), length, *context.shape[2:]), names)
            yield predicted

    while start < horizon:
        yield start, futures()
        start += length


def frames_at_once(samples: int, videos: tf.Tensor) -> int:
    """How many frames of so many samples of each video are in memory at once."""
    values = samples * videos.shape[0] * math.prod(videos.shape[2:])
    return min(max(VALUES_AT_ONCE // values, LEAST_FRAMES), MOST_FRAMES)


def _groups(num_samples: int, seed: int, first: int, batch: int) -> Iterator[tuple[int, tf.Tensor]]:
    """Numbers of samples that share a rollout, and the examples' seeds in it, `(batch, 2)`."""
    for group, start in enumerate(range(0, num_samples, SAMPLES_AT_ONCE)):
        seeds = [fold_in(fold_in(seed, first + i), group) for i in range(batch)]
        yield min(SAMPLES_AT_ONCE, num_samples - start), tf.stack(seeds)


def check_prediction(predicted: tf.Tensor, shape: tuple[int, ...], names: Sequence[str]) -> None:
    """Raises a `UserError` for predictions that are not finite, which `names` tell apart."""
    if tuple(predicted.shape) != tuple(shape):
        raise ValueError(f"rollout returned {tuple(predicted.shape)}, expected {tuple(shape)}")
    finite = tf.reduce_all(tf.math.is_finite(predicted), (0, 2, 3, 4, 5)).numpy()  # (batch,)
    if not finite.all():
        raise UserError(
            f"the prediction for {names[int(finite.argmin())]} holds NaN or Inf: the checkpoint "
            "is broken or its training diverged; try an earlier one with --checkpoint"
        )
