"""Adversarial losses of the whole project, TF-GAN's, and the R1 penalty.

Logits have any shape; one number per example, patch or position. Losses are means over all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hvp.tf_gan import tensorflow_gan

# Kind -> names of TF-GAN's discriminator and generator loss and arguments of either.
_LOSSES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "non_saturating": (
        "modified_discriminator_loss",
        "modified_generator_loss",
        {"label_smoothing": 0.0},
    ),
    "hinge": ("wasserstein_hinge_discriminator_loss", "wasserstein_hinge_generator_loss", {}),
    "least_squares": ("least_squares_discriminator_loss", "least_squares_generator_loss", {}),
    "wasserstein": ("wasserstein_discriminator_loss", "wasserstein_generator_loss", {}),
}
KINDS = tuple(_LOSSES)


def discriminator_loss(
    real_logits: tf.Tensor, fake_logits: tf.Tensor, kind: str = "non_saturating"
) -> tf.Tensor:
    """What a discriminator minimises, a scalar.

    Args:
        real_logits, fake_logits: of real and of made examples, of one shape.
        kind: `non_saturating`: mean softplus(-real) + mean softplus(fake) (Goodfellow et al.
            2014); `hinge`: mean relu(1 - real) + mean relu(1 + fake); `least_squares`: half of
            mean (real - 1)^2 + mean fake^2; `wasserstein`: mean fake - mean real.

    Raises:
        ValueError: for another kind.
    """
    name, _, arguments = _terms(kind)
    loss = getattr(tensorflow_gan().losses.losses_impl, name)
    return loss(
        tf.cast(real_logits, tf.float32),
        tf.cast(fake_logits, tf.float32),
        loss_collection=None,
        **arguments,
    )


def generator_loss(fake_logits: tf.Tensor, kind: str = "non_saturating") -> tf.Tensor:
    """What a generator minimises, a scalar.

    Args:
        fake_logits: of made examples.
        kind: `non_saturating`: mean softplus(-fake); `hinge` and `wasserstein`: -mean fake;
            `least_squares`: half of mean (fake - 1)^2.

    Raises:
        ValueError: for another kind.
    """
    _, name, arguments = _terms(kind)
    loss = getattr(tensorflow_gan().losses.losses_impl, name)
    return loss(tf.cast(fake_logits, tf.float32), loss_collection=None, **arguments)


def r1_penalty(discriminator: Callable[[tf.Tensor], tf.Tensor], real: tf.Tensor) -> tf.Tensor:
    """Squared norm of the logits' gradient at real examples, a scalar (Mescheder et al. 2018).

    Can be differentiated once more with respect to the discriminator's weights, if its operations
    have second gradients: bilinear `tf.image.resize` and `UpSampling2D` have none, silently.

    Args:
        discriminator: from examples to logits, one or more an example.
        real: `(batch, ...)`.

    Returns:
        Mean over the batch of the sum of squares.
    """
    with tf.GradientTape() as tape:
        tape.watch(real)
        logits = tf.reduce_sum(discriminator(real))
    gradient = tape.gradient(logits, real)
    return tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=list(range(1, len(real.shape)))))


def _terms(kind: str) -> tuple[str, str, dict[str, Any]]:
    if kind not in _LOSSES:
        raise ValueError(f"unknown adversarial loss {kind!r}; one of {', '.join(KINDS)}")
    return _LOSSES[kind]
