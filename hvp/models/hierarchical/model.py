"""The hierarchical residual latent model for long-horizon stochastic video prediction.

"Hierarchical Temporal-spatial Residual Model for Long-term Video Prediction"; with the residual
switches off, its ancestor Clockwork VAE (Saxena, Ba, Hafner: "Clockwork Variational Autoencoders",
NeurIPS 2021). A stack of recurrent state-space models in which level `l` ticks every `k**l` frames:
slow levels are the context of fast ones, the lowest is decoded to frames.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from hvp.losses.evidence_lower_bound import balanced_kl, sequence_kl, weighted_kl
from hvp.models.hierarchical import sampling
from hvp.models.hierarchical.cell import LevelStates, RecurrentCell, State
from hvp.models.hierarchical.config import HierarchicalConfig
from hvp.models.hierarchical.decoder import Decoder
from hvp.models.hierarchical.encoder import Encoder
from hvp.models.hierarchical.prediction import Prediction
from hvp.models.seeds import Seed, as_seed, fold_in, replica_normal

BASE_FILTERS = 32
DECODER_DENSE = 1024
FRAME_SIZES = (32, 64, 128, 256)


class HierarchicalModel(Prediction):
    """Levels of residual state-space models over a shared encoder and decoder.

    Args:
        height, width: of the frames; equal, one of 32, 64 (published), 128, 256.
        channels: 1 or 3.
        seed: decides the latents' noise in training.
        **settings: the keys of `HierarchicalConfig`, with its defaults.

    Raises:
        ValueError: for a frame size or setting that is not valid.

    Example:
        >>> model = hvp.models.HierarchicalModel(height=64, width=64, channels=1)
        >>> context = np.zeros((2, 36, 64, 64, 1), "float32")
        >>> model.rollout(context, horizon=10, num_samples=3, seed=1).shape
        TensorShape([3, 2, 10, 64, 64, 1])
    """

    config_class = HierarchicalConfig
    settings: HierarchicalConfig

    def make_layers(self) -> None:
        if self.height != self.width or self.height not in FRAME_SIZES:
            raise ValueError(
                f"the hierarchical model takes square frames of {FRAME_SIZES} pixels, received "
                f"height={self.height}, width={self.width}"
            )
        s = self.settings
        self.levels, self.factor = s.levels, s.tmp_abs_factor
        self.observed_levels = s.observed_levels()
        base_filters = int(BASE_FILTERS * s.channels_mult)
        self.encoder = Encoder(
            size=self.height,
            levels=s.levels,
            factor=s.tmp_abs_factor,
            base_filters=base_filters,
            dense_layers=s.enc_dense_layers,
            dense_size=s.enc_dense_embed_size,
            residual_cell=s.residual_encoder_cell,
            residual_features=s.residual_features,
            name="encoder",
        )
        self.cells = [
            RecurrentCell(
                stoch=s.cell_stoch_size,
                deter=s.cell_deter_size,
                embed=s.cell_embed_size,
                min_stddev=s.cell_min_stddev,
                mean_only=s.cell_mean_only,
                residual_context=s.residual_context,
                residual_posterior=s.residual_posterior,
                initial_stddev=s.cell_initial_stddev,
                name=f"cell_{level}",
            )
            for level in range(s.levels)
        ]
        self.decoder = Decoder(
            size=self.height,
            channels=self.channels,
            base_filters=base_filters,
            dense_size=int(DECODER_DENSE * s.channels_mult),
            residual_cell=s.residual_decoder_cell,
            likelihood=s.likelihood,
            stddev=s.dec_stddev,
            name="decoder",
        )
        self.state_size = s.cell_stoch_size + s.cell_deter_size
        # After so many frames all levels tick at once. The published masks of forgotten samples
        # follow from the length of the whole, which is then predicted at once.
        self.block = None if s.cell_reset_state else s.tmp_abs_factor ** (s.levels - 1)

    def build_layers(self) -> None:
        self.encoder.build((None, None, *self.frame_shape))
        for cell in self.cells:
            cell.build((None, None, self.state_size), (None, None, self.encoder.feature_size))
        self.decoder.build((None, self.state_size))

    # The method -----------------------------------------------------------------------------

    def call(self, obs: tf.Tensor, training: bool = False, seed: Seed = 0) -> tf.Tensor:
        """Reconstructs videos from posterior samples.

        Args:
            obs: `(batch, time, height, width, channels)`, float32 in [0, 1].
            seed: of the samples (no effect with `cell_mean_only`).

        Returns:
            Means of the decoded distributions, the shape of `obs`. Normal ones are in (-1, 1), as
            the decoder ends in tanh.
        """
        return self.decode(self.infer(obs, as_seed(seed))[0]).mean()

    def infer(
        self, obs: tf.Tensor, seed: tf.Tensor, seen: tf.Tensor | None = None
    ) -> list[LevelStates]:
        """Priors and posteriors of every level, level 0 first; `seen` is as of `elbo`."""
        self.check_videos(obs, at_least=1)
        obs = tf.convert_to_tensor(obs, tf.float32)
        time = obs.shape[1]
        ticks = [-(-time // self.factor**level) for level in range(self.levels)]
        batch = tf.shape(obs)[0]
        noise = [
            replica_normal((batch, n, self.settings.cell_stoch_size), fold_in(seed, level))
            for level, n in enumerate(ticks)
        ]
        return self.unroll(self.encoder(obs), noise, sampling.ticks_seen(seen, ticks, self.factor))

    def unroll(
        self,
        features: list[tf.Tensor],
        noise: list[tf.Tensor],
        observed: list[tf.Tensor] | None = None,
        start: list[State] | None = None,
    ) -> list[LevelStates]:
        """Unrolls all levels, the slowest first.

        Args:
            features: per level `(batch, observed ticks, F)`. A level follows its posterior for as
                many ticks as it has features, then its prior.
            noise: per level `(batch, ticks, stoch)`; says how many ticks to unroll.
            observed: per level `(batch, ticks)`, 0 where a level follows its prior in spite of its
                features; for features of all ticks.
            start: each level's state before the first tick, which all levels begin at once; zeros
                by default.

        Returns:
            The states of every level, level 0 first.
        """
        states: list[LevelStates] = []
        keep_masks: list[tf.Tensor | None] = [None] * self.levels
        if self.settings.cell_reset_state:
            keep_masks = sampling.keep_sample_masks([n.shape[1] for n in noise], self.factor)
        context = tf.zeros((tf.shape(noise[-1])[0], noise[-1].shape[1], self.state_size))
        for level in reversed(range(self.levels)):
            if states:
                # Each upper tick is the context of the next k ticks below.
                context = tf.repeat(states[0].output, self.factor, axis=1)
                context = context[:, : noise[level].shape[1]]
            states.insert(
                0,
                self._unroll_level(
                    self.cells[level],
                    context,
                    features[level],
                    noise[level],
                    keep_masks[level],
                    None if observed is None else observed[level],
                    None if start is None else start[level],
                ),
            )
        return states

    def _unroll_level(
        self,
        cell: RecurrentCell,
        context: tf.Tensor,
        features: tf.Tensor,
        noise: tf.Tensor,
        keep_sample: tf.Tensor | None,
        observed: tf.Tensor | None,
        state: State | None,
    ) -> LevelStates:
        state = cell.zero_state(tf.shape(noise)[0]) if state is None else state
        ticks, given = noise.shape[1], features.shape[1]
        if given == ticks:  # in training: slices would cost a copy in the gradient
            return cell.unroll(context, features, noise, state, keep_sample, observed)[0]
        parts = []
        for first, last, part_features in ((0, given, features), (given, ticks, None)):
            if first < last:
                part, state = cell.unroll(
                    context[:, first:last],
                    part_features,
                    noise[:, first:last],
                    state,
                    None if keep_sample is None else keep_sample[first:last],
                    observed,
                )
                parts.append(part)
        return LevelStates(*(tf.concat(pieces, axis=1) for pieces in zip(*parts, strict=True)))

    def decode(self, states: LevelStates) -> Any:
        """The distribution of frames that the lowest level's states give.

        Returns:
            A `tfd.Independent` of batch shape `(batch, time)`; its events are frames.
        """
        outputs = self.decoder(tf.reshape(states.output, (-1, self.state_size)))
        shape = (-1, states.output.shape[1], *outputs.shape[1:])
        return self.decoder.distribution(tf.reshape(outputs, shape))

    # Training -------------------------------------------------------------------------------

    def elbo(self, obs: tf.Tensor, seed: Seed = 0, seen: tf.Tensor | None = None) -> dict[str, Any]:
        """The evidence lower bound of videos, as the loss to minimise.

        Args:
            obs: `(batch, time, height, width, channels)`, float32 in [0, 1].
            seed: of the posterior samples.
            seen: `(batch,)`, how many frames of each video are observed; all of them by default. A
                bound all the same: the posterior of what is not observed is the prior.

        Returns:
            `loss` = nll + kl; `nll` and `kl` (with `beta`, `free_nats` and `kl_grad_post_perc`), in
            nats per frame; `kl_per_level`, the plain KL of each level in nats per video, level 0
            first; all means over the batch. `states`, the `LevelStates`; `decoded`, the
            reconstruction.
        """
        self.check_videos(obs, at_least=1)
        obs = tf.convert_to_tensor(obs, tf.float32)
        time, settings = obs.shape[1], self.settings
        states = self.infer(obs, as_seed(seed), seen)
        frames = self.decode(states[0])
        nll = -frames.log_prob(obs)  # (batch, time)
        latents = [(s.posterior, s.prior) for s in states]
        kl_per_level = [sequence_kl(q, p) for q, p in latents]
        kl_terms = kl_per_level
        if settings.kl_grad_post_perc is not None:
            kl_terms = [
                balanced_kl(q, p, settings.kl_grad_post_perc, settings.kl_grad_post_detached)
                for q, p in latents
            ]
        kl_terms = weighted_kl(kl_terms, settings.free_nats, settings.beta)
        nll, kl = tf.reduce_mean(nll), tf.add_n(kl_terms) / time
        return {
            "loss": nll + kl,
            "nll": nll,
            "kl": kl,
            "kl_per_level": kl_per_level,
            "states": states,
            "decoded": frames.mean(),
        }

    def compute_objective(
        self, batch: tf.Tensor, seed: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The bound of `batch`; reports its terms, and KL and entropies of each level per video."""
        share = self.settings.observation_dropout if training else 0.0
        terms = self.elbo(
            batch, seed, sampling.frames_seen(batch, share, fold_in(seed, self.levels))
        )
        scalars = {name: terms[name] for name in ("loss", "nll", "kl")}
        for level, states in enumerate(terms["states"]):
            scalars[f"kl/level_{level}"] = terms["kl_per_level"][level]
            for name, distribution in (("prior", states.prior), ("posterior", states.posterior)):
                entropy = tf.reduce_sum(distribution.entropy(), axis=1)  # over ticks
                scalars[f"{name}_entropy/level_{level}"] = tf.reduce_mean(entropy)
        return terms["loss"], scalars
