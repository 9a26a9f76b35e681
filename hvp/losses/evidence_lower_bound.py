"""KL terms of the evidence lower bound for sequences of latents, of TFP distributions.

The other term, the frames' log-probability, is `hvp.losses.likelihoods`'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from hvp import distributions as tfd


def sequence_kl(posterior: Any, prior: Any) -> tf.Tensor:
    """KL(posterior || prior) in nats, summed over ticks, mean over batch.

    Args:
        posterior, prior: distributions of batch shape `(batch, ticks)` between which TFP has a KL.

    Returns:
        A scalar.
    """
    per_tick = tfd.kl_divergence(posterior, prior)  # (batch, ticks)
    return tf.reduce_mean(tf.reduce_sum(per_tick, axis=1))


def balanced_kl(
    posterior: Any, prior: Any, posterior_share: float, detached: bool = False
) -> tf.Tensor:
    """A KL whose gradient moves the prior more than the posterior.

    For a share p it is `(1 - p) KL(sg(posterior) || prior) + max(1, p KL(posterior || sg(prior)))`,
    `sg` being stop_gradient.

    Args:
        posterior, prior: a `tfd.Independent` of `tfd.Normal`, of batch shape `(batch, ticks)`.
        posterior_share: p, in [0, 1].
        detached: no gradient through the second term at all, which is what the published code does.

    Returns:
        A scalar: summed over ticks, mean over batch.
    """
    frozen_posterior = _frozen(posterior)
    to_prior = sequence_kl(frozen_posterior, prior)
    to_posterior = sequence_kl(frozen_posterior if detached else posterior, _frozen(prior))
    return (1 - posterior_share) * to_prior + tf.maximum(1.0, posterior_share * to_posterior)


def _frozen(normals: Any) -> Any:
    """The same distribution, through which no gradient passes."""
    each = normals.distribution
    loc, scale = tf.stop_gradient(each.loc), tf.stop_gradient(each.scale)
    return normals.copy(distribution=each.copy(loc=loc, scale=scale))


def weighted_kl(
    kl_per_level: Sequence[tf.Tensor],
    free_nats: float | None = None,
    beta: float | Sequence[float] | None = None,
) -> list[tf.Tensor]:
    """The KL term of each level in the loss: `beta * max(0, KL - free_nats)`.

    Args:
        kl_per_level: one scalar a level, summed over its ticks.
        free_nats: nats per level that cost nothing.
        beta: one weight, or one per level.
    """
    if free_nats is not None:
        kl_per_level = [tf.maximum(0.0, kl - free_nats) for kl in kl_per_level]
    if beta is None:
        return list(kl_per_level)
    weights = beta if isinstance(beta, Sequence) else [beta] * len(kl_per_level)
    return [weight * kl for weight, kl in zip(weights, kl_per_level, strict=True)]
