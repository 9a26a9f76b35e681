"""The distribution of a level's latent, prior or posterior."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_probability as tfp


class Latent(tfp.distributions.MultivariateNormalDiag):
    """A diagonal normal distribution of latents, over one tick or over many.

    `sample(seed=...)`, `entropy()`, `log_prob(...)` and `tfd.kl_divergence` are TFP's. Within a
    level, where each tick needs the sample before, the noise of all ticks is drawn from stateless
    seeds before the first one, and `from_noise` turns each tick's share into its sample: tick by
    tick for the state, for all ticks at once (to the last bits the same) for what is returned.
    """

    def where(self, mask: tf.Tensor, other: Latent) -> Latent:
        """This distribution where `mask`, `(..., batch, 1)`, is true, and `other` elsewhere."""
        diag = tf.where(mask, self.scale.diag, other.scale.diag)
        return Latent(tf.where(mask, self.loc, other.loc), diag)

    def each_kl(self, other: Latent) -> tf.Tensor:
        """KL(self || other) of every single latent, in nats; the shape of the means."""
        normal = tfp.distributions.Normal
        return tfp.distributions.kl_divergence(
            normal(self.loc, self.scale.diag), normal(other.loc, other.scale.diag)
        )

    def from_noise(self, noise: tf.Tensor) -> tf.Tensor:
        """The sample that standard normal `noise` of the same shape stands for."""
        return self.loc + self.scale.diag * noise
