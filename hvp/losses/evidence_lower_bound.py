"""Terms of the evidence lower bound for sequences of diagonal Gaussian latents."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


def gaussian_nll(observed: tf.Tensor, decoded: tf.Tensor, stddev: float) -> tf.Tensor:
    """Negative log-likelihood of frames under `N(decoded, stddev)`.

    Args:
        observed, decoded: `(batch, time, height, width, channels)`.
        stddev: of every pixel.

    Returns:
        `(batch, time)`, in nats, summed over the pixels of a frame.
    """
    pixels = math.prod(observed.shape[2:])
    error = tf.reduce_sum(tf.square(observed - decoded), axis=(2, 3, 4))  # (batch, time)
    return 0.5 * error / stddev**2 + 0.5 * pixels * math.log(2 * math.pi * stddev**2)


Gaussian = tuple[tf.Tensor, tf.Tensor]  # mean and stddev, each (batch, ticks, stoch)


def sequence_kl(posterior: Gaussian, prior: Gaussian) -> tf.Tensor:
    """KL(posterior || prior) of diagonal Gaussians in nats, summed over ticks, mean over batch.

    Args:
        posterior, prior: `(mean, stddev)`, each `(batch, ticks, stoch)`.

    Returns:
        A scalar.
    """
    per_tick = tfd.kl_divergence(
        tfd.MultivariateNormalDiag(*posterior), tfd.MultivariateNormalDiag(*prior)
    )  # (batch, ticks)
    return tf.reduce_mean(tf.reduce_sum(per_tick, axis=1))


def balanced_kl(
    posterior: Gaussian, prior: Gaussian, posterior_share: float, detached: bool = False
) -> tf.Tensor:
    """A KL whose gradient moves the prior more than the posterior.

    For a share p it is `(1 - p) KL(sg(posterior) || prior) + max(1, p KL(posterior || sg(prior)))`,
    `sg` being stop_gradient.

    Args:
        posterior, prior: `(mean, stddev)`, each `(batch, ticks, stoch)`.
        posterior_share: p, in [0, 1].
        detached: no gradient through the second term at all, which is what the published code does.

    Returns:
        A scalar: summed over ticks, mean over batch.
    """
    frozen_posterior = (tf.stop_gradient(posterior[0]), tf.stop_gradient(posterior[1]))
    frozen_prior = (tf.stop_gradient(prior[0]), tf.stop_gradient(prior[1]))
    to_prior = sequence_kl(frozen_posterior, prior)
    to_posterior = sequence_kl(frozen_posterior if detached else posterior, frozen_prior)
    return (1 - posterior_share) * to_prior + tf.maximum(1.0, posterior_share * to_posterior)


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
