"""What trained models do: predict, say how likely frames are, generate."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import tensorflow as tf

from hvp.models.arguments import (
    as_frames,
    check_counts,
    check_masks,
    check_returned,
    check_videos,
)
from hvp.models.reconstruction import Reconstruction
from hvp.models.replicas import Replicas
from hvp.models.seeds import Seed, as_seed, example_seeds


class Checked(NamedTuple):
    """Arguments of a rollout, in the order in which `samples` takes them."""

    context: tf.Tensor
    horizon: int
    num_samples: int
    seeds: tf.Tensor
    masks: tf.Tensor | None


class Inference:
    """The part of `VideoModel` that is about a trained model."""

    height: int
    width: int
    channels: int
    stochastic = False  # the futures of a context differ
    min_context = 1  # frames that `rollout` needs
    # Batches are dicts of `video` and `masks` (object labels, uint8 (batch, time, height, width)),
    # and `rollout` takes the context's as `masks`.
    needs_masks = False
    _replicas: Replicas | None = None

    def share_out(self, strategy: tf.distribute.Strategy) -> None:
        """Has predictions and generated videos made on all replicas, each some of the examples.

        The numbers do not change, but for the rounding of another batch size.

        Args:
            strategy: of one process; the model must have been made in its scope.

        Example:
            >>> with strategy.scope():
            ...     _, model, _ = hvp.load_experiment("logs/kth")
            >>> model.share_out(strategy)
        """
        self._replicas = Replicas(strategy)

    def shared(
        self, function: Callable[..., Any], examples: Any, axis: int = 0, key: Hashable = None
    ) -> Any:
        """`function(*examples)`, by all replicas of `share_out`; see `Replicas.run`."""
        if self._replicas is None:
            return function(*examples)
        return self._replicas.run(function, examples, axis, key)

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)`."""
        return self.height, self.width, self.channels

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
        drawn = num_samples if self.stochastic else 1
        frames = self._rollout(context, horizon, drawn, seeds, masks)
        check_returned(frames, (drawn, context.shape[0], horizon, *self.frame_shape), self._rollout)
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
        """What a predictor implements: `rollout` with its arguments checked.

        Args:
            context: float32.
            num_samples: 1 unless `stochastic`.
            seeds: `(batch, 2)` int32, one pair an example: noise that follows from an example's
                pair and a sample's number alone (`sample_noise`) does not depend on the batch.
            masks: `None` unless `needs_masks`.

        Returns:
            `(num_samples, batch, horizon, height, width, channels)`, float32, not clipped.
        """
        raise NotImplementedError(f"{type(self).__name__} does not predict")

    def distribution(
        self,
        context: tf.Tensor,
        horizon: int,
        num_samples: int = 1,
        seed: Seed = None,
        masks: tf.Tensor | None = None,
    ) -> Any:
        """How likely frames are to follow `context`: what `rollout` shows the means of.

        Arguments and errors are as of `rollout`.

        Returns:
            A TFP distribution of batch shape `(num_samples, batch, horizon)` (1 sample unless
            `stochastic`) whose events are frames `(height, width, channels)`, given each sample's
            latents. The same seed gives the futures of `rollout`.

        Raises:
            NotImplementedError: if the family gives frames without saying how likely they are.

        Example:
            >>> frames = model.distribution(video[:, :36], horizon=10, num_samples=5, seed=0)
            >>> each = frames.log_prob(video[:, 36:46])                   # (5, batch, 10), in nats
            >>> tf.reduce_logsumexp(each, axis=0) - tf.math.log(5.0)      # of the mixture of all 5
        """
        drawn = num_samples if self.stochastic else 1
        return self._distribution(*self._checked(context, horizon, drawn, seed, masks))

    def _distribution(
        self,
        context: tf.Tensor,
        horizon: int,
        num_samples: int,
        seeds: tf.Tensor,
        masks: tf.Tensor | None,
    ) -> Any:
        """`distribution`, with its arguments checked as those of `_rollout` are."""
        raise NotImplementedError(f"{type(self).__name__} does not say how likely a frame is")

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

    def reconstruct(self, videos: tf.Tensor, seeds: tf.Tensor) -> Reconstruction | None:
        """What is made of videos that are seen whole; `None` of a model without latents.

        Args:
            videos: `(batch, time, height, width, channels)`, float32 in [0, 1].
            seeds: of the posterior's samples, `(batch, 2)` int32, one pair an example.
        """
        return None

    def generate(
        self, num_videos: int, num_frames: int, seed: Seed = None, **options: Any
    ) -> tf.Tensor:
        """Draws videos from nothing.

        Args:
            num_videos, num_frames: how many.
            seed: an integer or a pair, makes the result repeatable; `None` draws a new one.
            **options: what the family offers besides.

        Returns:
            `(num_videos, num_frames, height, width, channels)`, float32 in [0, 1].

        Raises:
            ValueError: for arguments that do not fit, saying what was received.
            NotImplementedError: if the family does not generate.
        """
        check_counts(num_videos=num_videos, num_frames=num_frames)
        pair = as_seed(seed)
        if pair.shape != (2,):
            raise ValueError(f"seed must be an integer or a pair, received shape {pair.shape}")
        frames = self._generate(num_videos, num_frames, pair, **options)
        check_returned(frames, (num_videos, num_frames, *self.frame_shape), self._generate)
        return tf.clip_by_value(frames, 0.0, 1.0)

    def _generate(
        self, num_videos: int, num_frames: int, seed: tf.Tensor, **options: Any
    ) -> tf.Tensor:
        """What a generator implements: `generate` with its arguments checked, not clipped.

        Args:
            seed: shape `(2,)`, int32.
        """
        raise NotImplementedError(f"{type(self).__name__} does not generate")
