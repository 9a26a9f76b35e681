"""SVG-LP: "Stochastic Video Generation with a Learned Prior" (Denton and Fergus, ICML 2018).

Each frame's code depends on the code of the frame before and a latent. While training, the latent
comes from a posterior that sees the frame; a prior that sees the frames before learns to follow it,
and takes its place when there is nothing to see.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from hvp.models.base import VideoModel
from hvp.models.reconstruction import Reconstruction
from hvp.models.samples import by_sample, together
from hvp.models.seeds import replica_normal, sample_noise
from hvp.models.svg_lp.config import SVGLPConfig
from hvp.models.svg_lp.networks import FrameDecoder, FrameEncoder, Recurrent, State

SMALLEST_FRAME = 16


class Bound(NamedTuple):
    """The parts of the evidence lower bound that training minimises, and what it decoded.

    Attributes:
        loss: `mse + beta * kl`, a scalar.
        mse: sum over predicted frames of their mean squared error.
        kl: KL(posterior || prior), summed over frames and latents, mean over examples.
        decoded: `(batch, time - 1, height, width, channels)`, frames 2 ... time, in (0, 1).
        latent_kl: the divergence of each latent, `(batch, time - 1, latents)`.
    """

    loss: tf.Tensor
    mse: tf.Tensor
    kl: tf.Tensor
    decoded: tf.Tensor
    latent_kl: tf.Tensor


class RolloutState(NamedTuple):
    """What a rollout goes on from: tensors `(samples, batch, ...)`, but the first two for all.

    Attributes:
        seeds: one pair an example.
        time: number of the next frame, the context's counted.
        frame: the one before it.
        skips: of the context's frame whose details later ones show; none with `last_frame_skip`.
        cells: states of the recurrent nets, by name.
    """

    seeds: tf.Tensor  # (1, batch, 2)
    time: tf.Tensor  # (1, batch)
    frame: tf.Tensor
    skips: list[tf.Tensor]
    cells: dict[str, State]


class SVGLP(VideoModel):
    """Frame codes from recurrent nets with a latent a frame; see `SVGLPConfig` for the settings.

    Args:
        height, width: equal, a power of two from 16 on (64 published).

    Example:
        >>> model = hvp.models.SVGLP(height=64, width=64, channels=1)
        >>> context = np.zeros((2, 5, 64, 64, 1), "float32")
        >>> model.rollout(context, horizon=10, num_samples=3, seed=1).shape
        TensorShape([3, 2, 10, 64, 64, 1])
    """

    config_class = SVGLPConfig
    pytorch_epsilon = True
    stochastic = True
    min_window = 2
    block = 1

    def make_layers(self) -> None:
        s, size = self.settings, self.height
        if self.width != size or size < SMALLEST_FRAME or size & (size - 1):
            raise ValueError(
                "SVG-LP takes square frames whose size is a power of two, at least "
                f"{SMALLEST_FRAME}, received height={size}, width={self.width}"
            )
        latents = [s.latent_size, s.latent_size]  # means and logarithms of variances
        self.encoder = FrameEncoder(size, s.code_size, s.backbone, s.filters, name="encoder")
        self.decoder = FrameDecoder(size, self.channels, s.backbone, s.filters, name="decoder")
        self.predictor = Recurrent(
            s.recurrent_size, s.predictor_cells, [s.code_size], name="predictor"
        )
        self.posterior = Recurrent(s.recurrent_size, s.posterior_cells, latents, name="posterior")
        self.prior = Recurrent(s.recurrent_size, s.prior_cells, latents, name="prior")

    def build_layers(self) -> None:
        keras.Layer.compute_output_spec(self, keras.KerasTensor((1, 2, *self.frame_shape)))

    def call(self, videos: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Frames 2 ... time from the posterior's means: `(batch, time - 1, ...)` in (0, 1)."""
        shape = (tf.shape(videos)[0], videos.shape[1], self.settings.latent_size)
        return self.elbo(videos, tf.zeros(shape), training=training).decoded

    def elbo(self, videos: tf.Tensor, noise: tf.Tensor, training: bool = True) -> Bound:
        """Predicts every frame from the true one before it (the paper's equation 3).

        Args:
            videos: `(batch, time, height, width, channels)`, float32 in [0, 1].
            noise: `(batch, time, latent_size)`, standard normal; that of the first frame is unused.
            training: batch normalisation by each frame's own batch, as the original trains.
        """
        frames = tf.unstack(videos, axis=1)
        codes, skips = zip(*(self.encoder(f, training=training) for f in frames), strict=True)
        states = self._start(tf.shape(videos)[0])
        kl: list[tf.Tensor] = []
        squared, decoded = [], []
        for t in range(1, len(frames)):
            code, frame_kl = self._seen_code(codes[t - 1], codes[t], noise[:, t], states)
            frame = self.decoder(code, skips[self._skip_of(t)], training=training)
            decoded.append(frame)
            squared.append(tf.reduce_mean(tf.square(frame - frames[t])))
            kl.append(frame_kl)
        mse, latent_kl = tf.add_n(squared), tf.stack(kl, axis=1)  # (batch, time - 1, latents)
        kl_sum = tf.reduce_mean(tf.reduce_sum(latent_kl, (1, 2)))
        loss = mse + self.settings.beta * kl_sum
        return Bound(loss, mse, kl_sum, tf.stack(decoded, axis=1), latent_kl)

    def _seen_code(
        self, before: tf.Tensor, own: tf.Tensor, noise: tf.Tensor, states: dict[str, State]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The predicted code of a frame that the posterior sees, and KL(posterior || prior).

        Args:
            before, own: codes of the frame before it and of itself.
        """
        mean, log_variance = self._advance(self.posterior, own, states)
        prior_mean, prior_log_variance = self._advance(self.prior, before, states)
        latent = mean + tf.exp(0.5 * log_variance) * noise
        code = self._predict_code(before, latent, states)
        return code, normal_kl(mean, log_variance, prior_mean, prior_log_variance)

    def compute_objective(
        self, batch: tf.Tensor, seed: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        self.check_videos(batch, at_least=2)
        shape = (tf.shape(batch)[0], batch.shape[1], self.settings.latent_size)
        bound = self.elbo(batch, replica_normal(shape, seed), training=training)
        return bound.loss, {"loss": bound.loss, "mse": bound.mse, "kl": bound.kl}

    def _begin(
        self,
        context: tf.Tensor,
        count: int,
        num_samples: int,
        seeds: tf.Tensor,
        masks: tf.Tensor | None,
    ) -> tuple[tf.Tensor, RolloutState]:
        del masks
        seen = context.shape[1]
        shape = (seen + count - 1, self.settings.latent_size)
        noise = sample_noise(seeds, num_samples, part=0, shape=shape)
        context = tf.tile(context, (num_samples, 1, 1, 1, 1))
        noise = tf.pad(noise, ((0, 0), (1, 0), (0, 0)))  # none belongs to the first frame
        found = by_sample(self._open_loop(context, noise), num_samples)
        time = tf.fill((1, tf.shape(seeds)[0]), seen + count)
        return found[0], RolloutState(seeds[None], time, *found[1:])

    def _continue(self, state: RolloutState, count: int) -> tuple[tf.Tensor, RolloutState]:
        num_samples = state.frame.shape[0]
        shape = (count, self.settings.latent_size)
        # Frame 1 has the first noise.
        first = state.time[0, 0] - 1
        noise = sample_noise(state.seeds[0], num_samples, part=0, shape=shape, first=first)
        found = by_sample(self._go_on(*together(state[2:]), noise), num_samples)
        return found[0], RolloutState(state.seeds, state.time + count, *found[1:])

    @tf.function(autograph=False)
    def _reconstruct(
        self, videos: tf.Tensor, seeds: tf.Tensor, state: Any
    ) -> tuple[Reconstruction, Any]:
        """The state is the number of frames so far, `(batch,)`, the last one's code, the skips
        that help to decode the next one, and the nets' states."""
        count, latents = videos.shape[1], self.settings.latent_size
        if state is None:  # the first frame has nothing before it that predicts it
            code, skips = self.encoder(videos[:, 0], training=False)
            time, states, first = tf.zeros_like(seeds[:, 0]), self._start(tf.shape(seeds)[0]), 1
        else:
            (time, code, skips, states), first = state, 0
        noise = sample_noise(seeds, 1, part=0, shape=(count, latents), first=time[0])

        def see(
            t: tf.Tensor, code: tf.Tensor, skips: list, states: dict, frames: Any, kl: Any
        ) -> tuple:
            own, new_skips = self.encoder(videos[:, t], training=False)
            states = dict(states)
            predicted, frame_kl = self._seen_code(code, own, noise[:, t], states)
            frames = frames.write(t - first, self.decoder(predicted, skips, training=False))
            # As `_skip_of` has it: those of later frames help with `last_frame_skip` alone.
            newer = self.settings.last_frame_skip or time[0] + t <= self.settings.context - 2
            skips = [tf.where(newer, *both) for both in zip(new_skips, skips, strict=True)]
            return t + 1, own, skips, states, frames, kl.write(t - first, frame_kl)

        arrays = [
            tf.TensorArray(tf.float32, size=count - first, element_shape=shape)
            for shape in (videos[:, 0].shape, (videos.shape[0], latents))
        ]
        start = (tf.constant(first), code, skips, states, *arrays)
        _, code, skips, states, *arrays = tf.while_loop(
            lambda t, *_: t < count, see, start, maximum_iterations=count - first
        )
        frames = tf.einsum("tbhwc->bthwc", arrays[0].stack())
        found = Reconstruction(frames, [tf.transpose(arrays[1].stack(), (1, 0, 2))])
        return found, (time + count, code, skips, states)

    @tf.function(autograph=False)
    def open_loop(self, context: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Frames after `context`: its latents from the posterior, later ones from the prior.

        Args:
            context: `(batch, context, height, width, channels)`.
            noise: `(batch, context + horizon, latent_size)`, as of `elbo`.

        Returns:
            `(batch, horizon, height, width, channels)`, in (0, 1).
        """
        return self._open_loop(context, noise)[0]

    @tf.function(autograph=False)
    def _open_loop(self, context: tf.Tensor, noise: tf.Tensor) -> tuple:
        """`open_loop`, and what goes on from there: frame, skips and states of cells."""
        seen = context.shape[1]
        states = self._start(tf.shape(context)[0])
        frame = context[:, 0]
        skips: list[tf.Tensor] = []
        for t in range(1, seen):
            code, new_skips = self.encoder(frame, training=False)
            if not skips or self._skip_of(t, seen) == t - 1:
                skips = new_skips
            frame = context[:, t]
            target, _ = self.encoder(frame, training=False)
            mean, log_variance = self._advance(self.posterior, target, states)
            self._advance(self.prior, code, states)
            latent = mean + tf.exp(0.5 * log_variance) * noise[:, t]
            self._predict_code(code, latent, states)
        return self._predict(frame, skips, states, noise[:, seen:])

    @tf.function(autograph=False)
    def _go_on(
        self,
        frame: tf.Tensor,
        skips: list[tf.Tensor],
        states: dict[str, State],
        noise: tf.Tensor,
    ) -> tuple:
        return self._predict(frame, skips, states, noise)

    def _predict(
        self,
        frame: tf.Tensor,
        skips: list[tf.Tensor],
        states: dict[str, State],
        noise: tf.Tensor,
    ) -> tuple:
        """As many frames after `frame` as there is noise; and what goes on from there."""
        count, last_frame_skip = noise.shape[1], self.settings.last_frame_skip

        def predict(
            t: Any, frame: tf.Tensor, states: dict[str, State], predicted: tf.TensorArray
        ) -> tuple:
            code, new_skips = self.encoder(frame, training=False)
            states = dict(states)
            mean, log_variance = self._advance(self.prior, code, states)
            latent = mean + tf.exp(0.5 * log_variance) * noise[:, t]
            code = self._predict_code(code, latent, states)
            shown = new_skips if last_frame_skip else skips
            frame = self.decoder(code, shown, training=False)
            return t + 1, frame, states, predicted.write(t, frame)

        if not (skips or last_frame_skip):  # of a single frame's context
            skips = self.encoder(frame, training=False)[1]
        predicted = tf.TensorArray(frame.dtype, size=count, element_shape=frame.shape)
        start = (tf.constant(0), frame, states, predicted)
        _, frame, states, predicted = tf.while_loop(
            lambda t, *_: t < count, predict, start, maximum_iterations=count
        )
        frames = tf.einsum("tbhwc->bthwc", predicted.stack())
        return frames, frame, [] if last_frame_skip else skips, states

    def _skip_of(self, t: int, context: int | None = None) -> int:
        """The frame whose skips help to decode frame `t`, both counted from 0."""
        context = self.settings.context if context is None else context
        return t - 1 if self.settings.last_frame_skip or t < context else max(context - 2, 0)

    def _start(self, batch: Any) -> dict[str, State]:
        return {n.name: n.start(batch) for n in (self.predictor, self.posterior, self.prior)}

    def _advance(
        self, network: Recurrent, code: tf.Tensor, states: dict[str, State]
    ) -> list[tf.Tensor]:
        outputs, states[network.name] = network(code, states[network.name])
        return outputs

    def _predict_code(
        self, code: tf.Tensor, latent: tf.Tensor, states: dict[str, State]
    ) -> tf.Tensor:
        (output,) = self._advance(self.predictor, tf.concat((code, latent), -1), states)
        return tf.tanh(output)


def normal_kl(
    mean: tf.Tensor, log_variance: tf.Tensor, other_mean: tf.Tensor, other_log_variance: tf.Tensor
) -> tf.Tensor:
    """KL of normals, each latent's."""
    ratio = tf.exp(log_variance - other_log_variance)
    distance = tf.square(mean - other_mean) * tf.exp(-other_log_variance)
    return 0.5 * (other_log_variance - log_variance + ratio + distance - 1)
