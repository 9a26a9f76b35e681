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
            mean, log_variance = self._advance(self.posterior, codes[t], states)
            prior_mean, prior_log_variance = self._advance(self.prior, codes[t - 1], states)
            latent = mean + tf.exp(0.5 * log_variance) * noise[:, t]
            code = self._predict_code(codes[t - 1], latent, states)
            frame = self.decoder(code, skips[self._skip_of(t)], training=training)
            decoded.append(frame)
            squared.append(tf.reduce_mean(tf.square(frame - frames[t])))
            kl.append(normal_kl(mean, log_variance, prior_mean, prior_log_variance))
        mse, latent_kl = tf.add_n(squared), tf.stack(kl, axis=1)  # (batch, time - 1, latents)
        kl_sum = tf.reduce_mean(tf.reduce_sum(latent_kl, (1, 2)))
        loss = mse + self.settings.beta * kl_sum
        return Bound(loss, mse, kl_sum, tf.stack(decoded, axis=1), latent_kl)

    def compute_objective(
        self, batch: tf.Tensor, seed: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        self.check_videos(batch, at_least=2)
        shape = (tf.shape(batch)[0], batch.shape[1], self.settings.latent_size)
        bound = self.elbo(batch, replica_normal(shape, seed), training=training)
        return bound.loss, {"loss": bound.loss, "mse": bound.mse, "kl": bound.kl}

    def _rollout(
        self,
        context: tf.Tensor,
        horizon: int,
        num_samples: int,
        seeds: tf.Tensor,
        masks: tf.Tensor | None,
    ) -> tf.Tensor:
        del masks
        shape = (context.shape[1] + horizon - 1, self.settings.latent_size)
        noise = sample_noise(seeds, num_samples, part=0, shape=shape)
        context = tf.tile(context, (num_samples, 1, 1, 1, 1))
        noise = tf.pad(noise, ((0, 0), (1, 0), (0, 0)))  # none belongs to the first frame
        frames = self.open_loop(context, noise)
        return tf.reshape(frames, (num_samples, -1, *frames.shape[1:]))

    @tf.function(autograph=False)
    def reconstruct(self, videos: tf.Tensor, seeds: tf.Tensor) -> Reconstruction:
        noise = sample_noise(seeds, 1, part=0, shape=(videos.shape[1], self.settings.latent_size))
        bound = self.elbo(videos, noise, training=False)
        return Reconstruction(bound.decoded, [bound.latent_kl])

    @tf.function(autograph=False)
    def open_loop(self, context: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Frames after `context`: its latents from the posterior, later ones from the prior.

        Args:
            context: `(batch, context, height, width, channels)`.
            noise: `(batch, context + horizon, latent_size)`, as of `elbo`.

        Returns:
            `(batch, horizon, height, width, channels)`, in (0, 1).
        """
        seen = context.shape[1]
        states = self._start(tf.shape(context)[0])
        frame, predicted = context[:, 0], []
        skips: list[tf.Tensor] = []
        for t in range(1, noise.shape[1]):
            code, new_skips = self.encoder(frame, training=False)
            if not skips or self._skip_of(t, seen) == t - 1:
                skips = new_skips
            if t < seen:
                frame = context[:, t]
                target, _ = self.encoder(frame, training=False)
                mean, log_variance = self._advance(self.posterior, target, states)
                self._advance(self.prior, code, states)
            else:
                mean, log_variance = self._advance(self.prior, code, states)
            latent = mean + tf.exp(0.5 * log_variance) * noise[:, t]
            code = self._predict_code(code, latent, states)
            if t >= seen:
                frame = self.decoder(code, skips, training=False)
                predicted.append(frame)
        return tf.stack(predicted, axis=1)

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
