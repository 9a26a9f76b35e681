"""A model's sampled futures, a few at a time."""

from __future__ import annotations

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


def sampled_futures(
    model: VideoModel | CostMeter,
    context: tf.Tensor,
    horizon: int,
    num_samples: int,
    seed: int,
    names: Sequence[str],
    first: int = 0,
    clip: bool = True,
    masks: tf.Tensor | None = None,
) -> Iterator[tf.Tensor]:
    """Rolls the model out from each context.

    Args:
        model: a predictor, or what measures one.
        context: `(batch, time, height, width, channels)`, float32 in [0, 1].
        seed: decides all sampling.
        names: of the batch's examples, for errors.
        first: the place in the data of the batch's first example.
        clip: whether frames are clipped to [0, 1].
        masks: of the context's frames, for a model that needs them.

    Yields:
        Up to `SAMPLES_AT_ONCE` of them: `(samples, batch, horizon, height, width, channels)`.

    Raises:
        UserError: for predictions that are not finite.
    """
    for group, start in enumerate(range(0, num_samples, SAMPLES_AT_ONCE)):
        count = min(SAMPLES_AT_ONCE, num_samples - start)
        seeds = [fold_in(fold_in(seed, first + i), group) for i in range(len(names))]
        predicted = model.rollout(context, horizon, count, tf.stack(seeds), clip=clip, masks=masks)
        check_prediction(predicted, (count, len(names), horizon, *context.shape[2:]), names)
        yield predicted


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
