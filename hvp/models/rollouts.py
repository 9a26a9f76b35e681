"""How a trained model predicts: the whole horizon at once, or part by part in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import tensorflow as tf

from hvp.models.arguments import (
    as_frames,
    check_counts,
    check_masks,
    check_returned,
    check_videos,
)
from hvp.models.replicas import Shared
from hvp.models.seeds import Seed, example_seeds

PART = 64  # frames


class Checked(NamedTuple):
    """Arguments of a rollout, in the order in which `samples` takes them."""

    context: tf.Tensor
    horizon: int
    num_samples: int
    seeds: tf.Tensor
    masks: tf.Tensor | None


class Rollouts(Shared):
    """The part of `VideoModel` that predicts.

    A predictor implements `_rollout`. Where it can go on from what it predicted, it sets `block`
    and implements `_begin` and `_continue` instead: `rollout` follows from them, and
    `rollout_parts` needs no more memory for a long horizon than for a short one.
    """

    height: int
    width: int
    channels: int
    stochastic = False  # the futures of a context differ
    min_context = 1  # frames that `rollout` needs
    # Parts of a rollout are multiples of so many frames; None: it is made as a whole.
    block: int | None = None
    clocked = False  # blocks are counted from the context's first frame, not from its end
    # Batches are dicts of `video` and `masks` (object labels, uint8 (batch, time, height, width)),
    # and `rollout` takes the context's as `masks`.
    needs_masks = False

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)`."""
        return self.height, self.width, self.channels

    def distinct_futures(self, num_samples: int) -> int:
        """How many of `num_samples` futures of a context differ, and so are worth drawing."""
        return num_samples if self.stochastic else 1

    def check_videos(self, videos: tf.Tensor, at_least: int) -> None:
        """Raises a `ValueError` unless `videos` fit the model and have `at_least` frames."""
        check_videos(videos, self.frame_shape, at_least)

    def rollout(
        self,
        context: tf.Tensor,
        horizon: int,
        num_samples: int = 1,
        seed: Seed = None,
        clip: bool = True,
        masks: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Predicts the `horizon` frames that follow `context`.

        Args:
            context: `(batch, time, height, width, channels)`, floats in [0, 1], with at least
                `min_context` frames.
            horizon: number of frames to predict.
            num_samples: number of futures per context; all the same unless `stochastic`.
            seed: makes the result repeatable; `None` draws a new one. Integers `(batch, 2)`, one
                pair an example, make an example's futures independent of its batch.
            clip: clip the prediction to [0, 1].
            masks: the context's object labels, `(batch, time, height, width)`, of a model with
                `needs_masks`.

        Returns:
            `(num_samples, batch, horizon, height, width, channels)`, float32.

        Raises:
            ValueError: for arguments that do not fit, saying what was received.
            UserError: if masks are needed and missing.
            NotImplementedError: if the family does not predict.
        """
        frames, *sizes, seeds, masks = self._checked(context, horizon, num_samples, seed, masks)

        def samples(frames: tf.Tensor, seeds: tf.Tensor, masks: tf.Tensor | None) -> tf.Tensor:
            return self.samples(frames, horizon, num_samples, seeds, masks, clip)

        return self.shared(samples, (frames, seeds, masks), 1, ("rollout", *sizes, clip))

    def rollout_parts(
        self,
        context: tf.Tensor,
        horizon: int,
        num_samples: int = 1,
        seed: Seed = None,
        clip: bool = True,
        masks: tf.Tensor | None = None,
        part: int = PART,
    ) -> Iterator[tf.Tensor]:
        """`rollout` a part of the horizon after the other, as they are predicted.

        Memory holds one part: `part` frames, or the family's `block` (the slowest level's tick,
        the frames of a window) where that is longer. A family whose `block` is `None` predicts
        the whole horizon before the first part comes.

        Args:
            context, horizon, num_samples, seed, clip, masks: as of `rollout`.
            part: frames of a part at most.

        Returns:
            An iterator of `(num_samples, batch, up to part, height, width, channels)`, float32.
            Together they are the frames of `rollout` with the same seed: bit for bit if they fit
            into one part, else to float32's rounding, which differs with the number of rows in a
            matrix product.

        Raises:
            ValueError, UserError, NotImplementedError: as `rollout` does.

        Example:
            >>> parts = model.rollout_parts(context, horizon=20_000, num_samples=3, seed=0)
            >>> means = [float(tf.reduce_mean(frames)) for frames in parts]
        """
        check_counts(part=part)
        given = self._checked(context, horizon, num_samples, seed, masks)
        return self._parts(given, part, clip)

    def _parts(self, given: Checked, part: int, clip: bool) -> Iterator[tf.Tensor]:
        context, horizon, num_samples, seeds, masks = given
        drawn = self.distinct_futures(num_samples)
        first, *others = self._part_lengths(context.shape[1], horizon, part)

        def finished(frames: tf.Tensor, count: int, by: Callable) -> Iterator[tf.Tensor]:
            frames = self._finished(frames, (num_samples, context.shape[0], count), clip, by)
            return (frames[:, :, i : i + part] for i in range(0, count, part))

        def begin(context: tf.Tensor, seeds: tf.Tensor, masks: tf.Tensor | None) -> Any:
            if self.block is None:
                return self._rollout(context, first, drawn, seeds, masks), None
            return self._begin(context, first, drawn, seeds, masks)

        by = self._rollout if self.block is None else self._begin
        frames, state = self.shared(begin, (context, seeds, masks), 1, ("begin", first, drawn))
        yield from finished(frames, first, by)
        for count in others:
            go_on = _with(self._continue, count)
            frames, state = self.shared(go_on, (state,), 1, ("continue", count), given=1)
            yield from finished(frames, count, self._continue)

    def _part_lengths(self, time: int, horizon: int, part: int) -> list[int]:
        """Frames of each part: all equal but the first, after which a block ends, and the last."""
        if self.block is None:
            return [horizon]
        length = max(part // self.block, 1) * self.block
        if horizon <= length:
            return [horizon]
        first = length - (time % self.block if self.clocked else 0)
        equal, left = divmod(horizon - first, length)
        return [first, *[length] * equal, *([left] if left else [])]

    def samples(
        self,
        context: tf.Tensor,
        horizon: int,
        num_samples: int,
        seeds: tf.Tensor,
        masks: tf.Tensor | None,
        clip: bool = True,
    ) -> tf.Tensor:
        """`rollout` with its arguments checked, and one of `seeds` an example."""
        drawn = self.distinct_futures(num_samples)
        frames = self._rollout(context, horizon, drawn, seeds, masks)
        sizes = num_samples, context.shape[0], horizon
        return self._finished(frames, sizes, clip, self._rollout)

    def _finished(
        self, frames: tf.Tensor, sizes: tuple[int, int | None, int], clip: bool, by: Callable
    ) -> tf.Tensor:
        """What a family's method returned, checked, clipped, and repeated for each sample."""
        num_samples, *others = sizes
        drawn = self.distinct_futures(num_samples)
        check_returned(frames, (drawn, *others, *self.frame_shape), by)
        if clip:
            frames = tf.clip_by_value(frames, 0.0, 1.0)
        return frames if self.stochastic else tf.repeat(frames, num_samples, axis=0)

    def _rollout(
        self,
        context: tf.Tensor,
        horizon: int,
        num_samples: int,
        seeds: tf.Tensor,
        masks: tf.Tensor | None,
    ) -> tf.Tensor:
        """What a predictor without `_begin` implements: `rollout` with its arguments checked.

        Args:
            context: float32.
            num_samples: 1 unless `stochastic`.
            seeds: `(batch, 2)` int32, one pair an example: noise that follows from an example's
                pair and a sample's number alone (`sample_noise`) does not depend on the batch.
            masks: `None` unless `needs_masks`.

        Returns:
            `(num_samples, batch, horizon, height, width, channels)`, float32, not clipped.
        """
        return self._begin(context, horizon, num_samples, seeds, masks)[0]

    def _begin(
        self,
        context: tf.Tensor,
        count: int,
        num_samples: int,
        seeds: tf.Tensor,
        masks: tf.Tensor | None,
    ) -> tuple[tf.Tensor, Any]:
        """What a predictor with a `block` implements: the first frames, and how to go on.

        Args:
            context, num_samples, seeds, masks: as of `_rollout`.
            count: frames to predict.

        Returns:
            Frames as of `_rollout`, and a state: a structure of tensors `(num_samples or 1, batch,
            ...)`, all that `_continue` needs to know. It goes on from there if a block has ended.
        """
        raise NotImplementedError(f"{type(self).__name__} does not predict")

    def _continue(self, state: Any, count: int) -> tuple[tf.Tensor, Any]:
        """The next `count` frames and the state after them, as `_begin` returns them.

        States have equal shapes, so that one program serves all parts of a length. Noise follows
        from seed and frame, whatever the parts are (`sample_noise` takes the first frame).
        """
        raise NotImplementedError(f"{type(self).__name__} does not go on from a state")

    def _checked(
        self,
        context: tf.Tensor,
        horizon: int,
        num_samples: int,
        seed: Seed,
        masks: tf.Tensor | None,
    ) -> Checked:
        check_counts(horizon=horizon, num_samples=num_samples)
        context = as_frames(context)
        self.check_videos(context, at_least=self.min_context)
        check_masks(masks, tuple(context.shape[:-1]), self.needs_masks, type(self).__name__)
        return Checked(context, horizon, num_samples, example_seeds(seed, context.shape[0]), masks)


def _with(function: Callable[..., Any], count: int) -> Callable[[Any], Any]:
    """`function` with its last argument given."""
    return lambda state: function(state, count)
