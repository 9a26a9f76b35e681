"""What predictor, translator and discriminator minimise.

Published for the translator: binary cross-entropy on logits, L1 with weight 10, an SSIM term (there
with the wrong sign, and for data of half its range; here it is 1 - SSIM, of frames in [0, 1]).
Our reading: the predictor's loss, L1 + (1 - SSIM) of pictures, and the gradient difference in both,
as the "algorithm for improving image sharpness".
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from hvp.losses.adversarial import discriminator_loss, generator_loss
from hvp.losses.sharpness import gradient_difference, structural_dissimilarity
from hvp.models.fusion.config import FusionConfig
from hvp.models.fusion.translator import Discriminator, Translator


class Objective(NamedTuple):
    """A scalar loss, and what it is made of, for reports."""

    loss: tf.Tensor
    terms: dict[str, tf.Tensor]


def predictor_objective(settings: FusionConfig, true: tf.Tensor, predicted: tf.Tensor) -> Objective:
    """L1 + (1 - SSIM) + gradient difference of pictures `(batch, time, height, width, c)`."""
    l1 = tf.reduce_mean(tf.abs(true - predicted))
    structure = structural_dissimilarity(true, predicted)
    gradient = gradient_difference(true, predicted)
    loss = l1 + settings.ssim_weight * structure
    loss += settings.gradient_difference_weight * gradient
    terms = {"l1": l1, "dissimilarity": structure, "gradient_difference": gradient}
    return Objective(loss, {f"predictor/{name}": term for name, term in terms.items()})


def translator_objectives(
    settings: FusionConfig,
    translator: Translator,
    discriminator: Discriminator,
    condition: tf.Tensor,
    true: tf.Tensor,
    noise: list[tf.Tensor] | None,
    training: bool,
) -> tuple[Objective, Objective]:
    """The translator's and the discriminator's, from one pass through both.

    Args:
        condition: `(n, height, width, c)`.
        true: its frames, `(n, upscale_factor * height, ..., channels)` in [0, 1].
        noise: as of `Translator`.
    """
    s = settings
    fake = translator(condition, noise, training=training)
    real_logits = discriminator(condition, true, training=training)
    fake_logits = discriminator(condition, fake, training=training)
    weighted = {
        "adversarial": (s.adversarial_weight, generator_loss(fake_logits, s.adversarial_loss)),
        # The published weight is for frames in [-1, 1].
        "l1": (s.l1_weight, 2.0 * tf.reduce_mean(tf.abs(true - fake))),
        "dissimilarity": (s.ssim_weight, structural_dissimilarity(true, fake)),
        "gradient_difference": (s.gradient_difference_weight, gradient_difference(true, fake)),
    }
    loss = tf.add_n([weight * term for weight, term in weighted.values()])
    terms = {f"translator/{name}": term for name, (_, term) in weighted.items()}
    judging = discriminator_loss(real_logits, fake_logits, s.adversarial_loss)
    return Objective(loss, terms), Objective(judging, {"discriminator/loss": judging})
