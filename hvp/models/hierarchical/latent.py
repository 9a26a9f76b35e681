"""The distribution of a level's latent, prior or posterior."""

from __future__ import annotations

import tensorflow as tf

from hvp import distributions as tfd


class Latent(tfd.Independent):
    """A diagonal normal distribution of latents, over one tick or over many.

    `sample(seed=...)`, `entropy()`, `log_prob(...)` and `tfd.kl_divergence` are TFP's. Of
    independent normals they are a quarter, or less, of what `tfd.MultivariateNormalDiag` adds to
    a graph, which shows in the time to the first update.

    Within a level, where each tick needs the sample before, the noise of all ticks is drawn from
    stateless seeds before the first one, and `from_noise` turns each tick's share into its sample:
    tick by tick for the state, for all ticks at once (to the last bits the same) for what is
    returned.
    """

    @classmethod
    def of(cls, loc: tf.Tensor, scale: tf.Tensor) -> Latent:
        """From means and standard deviations `(..., batch, stoch)`."""
        return cls(tfd.Normal(loc, scale), reinterpreted_batch_ndims=1)

    @property
    def loc(self) -> tf.Tensor:
        """The means, `(..., batch, stoch)`."""
        return self.distribution.loc

    @property
    def scale(self) -> tf.Tensor:
        """The standard deviations, of the same shape."""
        return self.distribution.scale

    def where(self, mask: tf.Tensor, other: Latent) -> Latent:
        """This distribution where `mask`, `(..., batch, 1)`, is true, and `other` elsewhere."""
        return Latent.of(
            tf.where(mask, self.loc, other.loc), tf.where(mask, self.scale, other.scale)
        )

    def each_kl(self, other: Latent) -> tf.Tensor:
        """KL(self || other) of every single latent, in nats; the shape of the means."""
        return tfd.kl_divergence(self.distribution, other.distribution)

    def from_noise(self, noise: tf.Tensor) -> tf.Tensor:
        """The sample that standard normal `noise` of the same shape stands for."""
        return self.loc + self.scale * noise
