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
        codes, skips = self._encode(videos, training)
        states = self._start(tf.shape(videos)[0])
        predicted, latent_kl, _ = self._see(codes, noise[:, 1:], states)
        decoded = self._decode(predicted, self._shown(skips, predicted.shape[0]), training)
        errors = tf.reduce_mean(tf.square(decoded - videos[:, 1:]), (0, 2, 3, 4))
        mse = tf.reduce_sum(errors)  # of (time - 1)
        kl = tf.reduce_mean(tf.reduce_sum(latent_kl, (1, 2)))
        loss = mse + self.settings.beta * kl
        return Bound(loss, mse, kl, decoded, latent_kl)

    def _encode(self, videos: tf.Tensor, training: bool) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Codes `(time, batch, code_size)` and skips `(time, batch, ...)` of every frame."""
        frames = tf.einsum("bthwc->tbhwc", videos)
        code, skips = self.encoder(
            tf.reshape(frames, (-1, *self.frame_shape)), training=training, groups=frames.shape[0]
        )
        return by_sample((code, skips), frames.shape[0])  # type: ignore[no-any-return]

    def _decode(self, codes: tf.Tensor, skips: list[tf.Tensor], training: bool) -> tf.Tensor:
        """Frames `(batch, time, ...)` of codes and skips as `_encode` returns them."""
        count, batch = codes.shape[0], tf.shape(codes)[1]
        frames = self.decoder(*together((codes, skips)), training=training, groups=count)
        return tf.einsum("tbhwc->bthwc", tf.reshape(frames, (count, batch, *self.frame_shape)))

    def _see(
        self, codes: tf.Tensor, noise: tf.Tensor, states: dict[str, State]
    ) -> tuple[tf.Tensor, tf.Tensor, dict[str, State]]:
        """Predicts each code but the first by one before it and a latent that saw the frame itself.

        Args:
            codes: `(time, batch, code_size)`, of true frames.
            noise: `(batch, time - 1, latent_size)`.

        Returns:
            Codes `(time - 1, batch, code_size)`; KL(posterior || prior) of each latent,
            `(batch, time - 1, latent_size)`; the nets' states after them.
        """
        count = codes.shape[0] - 1
        seen = tf.TensorArray(tf.float32, size=count + 1, clear_after_read=False).unstack(codes)
        drawn = tf.TensorArray(tf.float32, size=count)
        drawn = drawn.unstack(tf.transpose(noise, (1, 0, 2)))  # (time - 1, batch, latents)
        arrays = [
            tf.TensorArray(tf.float32, size=count, element_shape=(codes.shape[1], size))
            for size in (self.settings.code_size, self.settings.latent_size)
        ]

        def see(t: tf.Tensor, states: dict[str, State], predicted: Any, kl: Any) -> tuple:
            states = dict(states)
            before, own = seen.read(t), seen.read(t + 1)
            mean, log_variance = self._advance(self.posterior, own, states)
            of_prior = self._advance(self.prior, before, states)
            latent = mean + tf.exp(0.5 * log_variance) * drawn.read(t)
            predicted = predicted.write(t, self._predict_code(before, latent, states))
            return t + 1, states, predicted, kl.write(t, normal_kl(mean, log_variance, *of_prior))

        _, states, predicted, kl = tf.while_loop(
            lambda t, *_: t < count,
            see,
            (tf.constant(0), states, *arrays),
            maximum_iterations=count,
        )
        return predicted.stack(), tf.transpose(kl.stack(), (1, 0, 2)), states

    def _shown(self, skips: list[tf.Tensor], count: int, first: Any = 0) -> list[tf.Tensor]:
        """The skips that help to decode each of `count` frames, from the second of `skips` on.

        Args:
            skips: `(time, batch, ...)`, of frames from number `first` on; an earlier frame's in
                place of the first where that one's are shown for good.
        """
        frames: Any = tf.range(count)
        if not self.settings.last_frame_skip:
            frames = tf.maximum(tf.minimum(frames, self._last_skip() - first), 0)
        return [tf.gather(skip, frames) for skip in skips]

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
        noise = tf.pad(noise, ((0, 0), (1, 0), (0, 0)))  # none belongs to the first frame
        found = by_sample(self._open_loop(context, noise, num_samples), num_samples)
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
        codes, skips = self._encode(videos, training=False)
        if state is None:  # the first frame has nothing before it that predicts it
            time, states = tf.zeros_like(seeds[:, 0]), self._start(tf.shape(seeds)[0])
            first, start = tf.constant(0), 1  # numbers of the first frame of codes, of noise
        else:
            time, code, carried, states = state
            codes = tf.concat((code[None], codes), 0)
            skips = [tf.concat((x[None], new), 0) for x, new in zip(carried, skips, strict=True)]
            first, start = time[0] - 1, time[0]
        count = codes.shape[0] - 1
        shape = (count, self.settings.latent_size)
        noise = sample_noise(seeds, 1, part=0, shape=shape, first=start)
        predicted, kl, states = self._see(codes, noise, states)
        shown = self._shown(skips, count + 1, first)
        frames = self._decode(predicted, [x[:-1] for x in shown], training=False)
        time += videos.shape[1]
        return Reconstruction(frames, [kl]), (time, codes[-1], [x[-1] for x in shown], states)

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
    def _open_loop(self, context: tf.Tensor, noise: tf.Tensor, num_samples: int = 1) -> tuple:
        """`open_loop` of as many samples, whose noise is sample-major, and what goes on from there.

        That is: frame, skips and states of cells.
        """
        seen = context.shape[1]
        codes, skips = self._encode(context, training=False)
        codes = tf.tile(codes, (1, num_samples, 1))  # (context, samples * batch, code_size)
        frame = tf.tile(context[:, -1], (num_samples, 1, 1, 1))
        skips = [tf.tile(s[self._last_skip(seen)], (num_samples, 1, 1, 1)) for s in skips]
        states = self._start(tf.shape(noise)[0])
        _, _, states = self._see(codes, noise[:, 1:seen], states)
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

        predicted = tf.TensorArray(frame.dtype, size=count, element_shape=frame.shape)
        start = (tf.constant(0), frame, states, predicted)
        _, frame, states, predicted = tf.while_loop(
            lambda t, *_: t < count, predict, start, maximum_iterations=count
        )
        frames = tf.einsum("tbhwc->bthwc", predicted.stack())
        return frames, frame, [] if last_frame_skip else skips, states

    def _last_skip(self, context: int | None = None) -> int:
        """The last of the first frames whose skips are shown, counted from 0."""
        return max((self.settings.context if context is None else context) - 2, 0)

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
