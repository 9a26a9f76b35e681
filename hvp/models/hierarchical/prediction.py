"""What a trained hierarchical model does: predict, part by part, and reconstruct."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from hvp.models.base import VideoModel
from hvp.models.hierarchical import sampling
from hvp.models.hierarchical.cell import LevelStates, State
from hvp.models.hierarchical.config import HierarchicalConfig
from hvp.models.hierarchical.decoder import Decoder
from hvp.models.hierarchical.encoder import Encoder
from hvp.models.reconstruction import Reconstruction
from hvp.models.samples import by_sample, together
from hvp.models.seeds import sample_noise


class RolloutState(NamedTuple):
    """What a rollout goes on from, at a time at which all levels tick.

    Attributes:
        seeds: one pair an example, `(1, batch, 2)`.
        time: number of frames so far, the context's counted, `(1, batch)`.
        levels: every level's state, `(samples, batch, ...)`, level 0 first.
    """

    seeds: tf.Tensor
    time: tf.Tensor
    levels: list[State]


class Prediction(VideoModel):
    """The part of `HierarchicalModel` that is about a trained model.

    Attributes:
        levels, factor, observed_levels, state_size, encoder, decoder: of the model.
    """

    settings: HierarchicalConfig
    levels: int
    factor: int
    observed_levels: tuple[bool, ...]
    state_size: int
    encoder: Encoder
    decoder: Decoder
    stochastic = True
    clocked = True

    def unroll(
        self,
        features: list[tf.Tensor],
        noise: list[tf.Tensor],
        observed: list[tf.Tensor] | None = None,
        start: list[State] | None = None,
    ) -> list[LevelStates]:
        """See `HierarchicalModel.unroll`."""
        raise NotImplementedError

    def _begin(
        self,
        context: tf.Tensor,
        count: int,
        num_samples: int,
        seeds: tf.Tensor,
        masks: tf.Tensor | None,
    ) -> tuple[tf.Tensor, RolloutState]:
        """Means of `distribution`, and the levels' states after them."""
        outputs, levels = self._decode_rollout(context, count, num_samples, seeds)
        time = tf.fill((1, tf.shape(seeds)[0]), context.shape[1] + count)
        return self.decoder.distribution(outputs).mean(), RolloutState(seeds[None], time, levels)

    def _continue(self, state: RolloutState, count: int) -> tuple[tf.Tensor, RolloutState]:
        outputs, levels = self._decode_later(state, count)
        later = RolloutState(state.seeds, state.time + count, levels)
        return self.decoder.distribution(outputs).mean(), later

    def _distribution(
        self,
        context: tf.Tensor,
        horizon: int,
        num_samples: int,
        seeds: tf.Tensor,
        masks: tf.Tensor | None,
    ) -> Any:
        outputs, _ = self._decode_rollout(context, horizon, num_samples, seeds)
        return self.decoder.distribution(outputs)

    @tf.function(autograph=False)
    def _decode_rollout(
        self, context: tf.Tensor, horizon: int, num_samples: int, seeds: tf.Tensor
    ) -> tuple[tf.Tensor, list[State]]:
        """Open loop: only the context is encoded. What the decoder gives, and the levels' states.

        Level `l` observes the `len(context) // k**l` ticks that the context fills, then follows
        its prior; a level that `use_obs` withholds observations from follows its prior throughout.
        """
        states = self.open_loop(context, seeds, horizon, num_samples)
        return self._decoded(states, horizon, num_samples), _ends(states, num_samples)

    @tf.function(autograph=False)
    def _decode_later(self, state: RolloutState, count: int) -> tuple[tf.Tensor, list[State]]:
        """The next frames, from a time at which all levels tick: each follows its prior."""
        num_samples, size = state.levels[0].sample.shape[0], self.settings.cell_stoch_size
        noise = [
            sample_noise(
                state.seeds[0],
                num_samples,
                level,
                (-(-count // self.factor**level), size),
                first=state.time[0, 0] // self.factor**level,
            )
            for level in range(self.levels)
        ]
        nothing = tf.zeros((tf.shape(noise[0])[0], 0, self.encoder.feature_size))
        states = self.unroll([nothing] * self.levels, noise, start=together(state.levels))
        return self._decoded(states, count, num_samples), _ends(states, num_samples)

    def _decoded(self, states: list[LevelStates], count: int, num_samples: int) -> tf.Tensor:
        """The decoder's outputs of the last `count` frames, `(samples, batch, count, ...)`."""
        outputs = states[0].output[:, -count:]  # (samples * batch, count, state)
        frames = sampling.in_chunks(self.decoder, tf.reshape(outputs, (-1, self.state_size)))
        return tf.reshape(frames, (num_samples, -1, count, *self.frame_shape))

    @tf.function(autograph=False)
    def _reconstruct(
        self, videos: tf.Tensor, seeds: tf.Tensor, state: Any
    ) -> tuple[Reconstruction, Any]:
        """The state is the number of frames so far, `(batch,)`, and every level's state."""
        time, start = (tf.zeros_like(seeds[:, 0]), None) if state is None else state
        size, features = self.settings.cell_stoch_size, sampling.encode(self.encoder, videos)
        noise = [
            sample_noise(seeds, 1, i, (f.shape[1], size), first=time[0] // self.factor**i)
            for i, f in enumerate(features)
        ]
        states = self.unroll(features, noise, start=start)
        outputs = tf.reshape(states[0].output, (-1, self.state_size))
        frames = sampling.in_chunks(self.decoder, outputs)
        frames = self.decoder.distribution(tf.reshape(frames, (-1, *videos.shape[1:]))).mean()
        found = Reconstruction(frames, [s.posterior.each_kl(s.prior) for s in states])
        return found, (time + videos.shape[1], [s.last for s in states])

    def open_loop(
        self, context: tf.Tensor, seeds: tf.Tensor, horizon: int, num_samples: int = 1
    ) -> list[LevelStates]:
        """States of every level over context and horizon: posteriors, then priors.

        Args:
            context: `(batch, time, height, width, channels)`.
            seeds: `(batch, 2)` integers.

        Returns:
            Level 0 first, each over `ceil((time + horizon) / k**l)` ticks, samples folded into
            the batch: `(num_samples * batch, ticks, ...)`, sample-major.
        """
        time = context.shape[1]
        filled = [
            time // self.factor**level if observed else 0  # `use_obs` withholds observations
            for level, observed in enumerate(self.observed_levels)
        ]
        features = [
            tf.tile(f[:, :n], (num_samples, 1, 1))
            for f, n in zip(self.encoder(context), filled, strict=True)
        ]
        noise = [
            sample_noise(
                seeds,
                num_samples,
                level,
                (-(-(time + horizon) // self.factor**level), self.settings.cell_stoch_size),
            )
            for level in range(self.levels)
        ]
        return self.unroll(features, noise)


def _ends(states: list[LevelStates], num_samples: int) -> list[State]:
    """Every level's state to go on from, `(samples, batch, ...)`."""
    return by_sample([level.last for level in states], num_samples)
