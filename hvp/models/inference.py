"""What trained models do: predict, say how likely frames are, reconstruct, generate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from hvp.models.arguments import check_counts, check_returned
from hvp.models.reconstruction import Reconstruction
from hvp.models.rollouts import PART, Rollouts
from hvp.models.seeds import Seed, as_seed
from hvp.pixels import to_floats


class Inference(Rollouts):
    """The part of `VideoModel` that is about a trained model."""

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
        drawn = self.distinct_futures(num_samples)
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

    def reconstruct(self, videos: tf.Tensor, seeds: tf.Tensor) -> Reconstruction | None:
        """What is made of videos that are seen whole; `None` of a model without latents.

        Args:
            videos: `(batch, time, height, width, channels)`, float32 in [0, 1].
            seeds: of the posterior's samples, `(batch, 2)` int32, one pair an example.
        """
        found = self._reconstruct(videos, seeds, None)
        return None if found is None else found[0]

    def reconstruct_parts(
        self, videos: tf.Tensor, seeds: tf.Tensor, part: int = PART
    ) -> Iterator[tuple[int, Reconstruction]]:
        """`reconstruct`, some frames at a time; none of a model without latents.

        Args:
            videos, seeds: as of `reconstruct`; videos may be bytes.
            part: frames at a time, or the family's `block` where that is longer.

        Yields:
            The number of the first frame that is reconstructed, from 0, and the reconstruction.

        Example:
            >>> for first, found in model.reconstruct_parts(videos, seeds):
            ...     print(first, found.frames.shape)
        """
        time, block, state = videos.shape[1], self.block, None
        length = time if block is None else max(part // block, 1) * block
        for first in range(0, time, length):
            some = to_floats(videos[:, first : first + length])
            given = (some, seeds, state)
            key = ("reconstruct", some.shape[1], state is None)
            found = self.shared(self._reconstruct, given, key=key)
            if found is None:
                return
            reconstruction, state = found
            # A family may need a frame before the first one that it reconstructs.
            yield first + some.shape[1] - reconstruction.frames.shape[1], reconstruction

    def _reconstruct(
        self, videos: tf.Tensor, seeds: tf.Tensor, state: Any
    ) -> tuple[Reconstruction, Any] | None:
        """What a family with latents implements.

        Args:
            videos: the frames that follow those that led to `state`.
            seeds: as of `reconstruct`.
            state: as this method returned it for the frames before; `None` at a video's start.

        Returns:
            The reconstruction, and a structure of tensors `(batch, ...)` to go on from.
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
