"""Codes: what a video of the motion GAN is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from hvp.models.motion_gan.generator import Generator
from hvp.models.seeds import Seed, as_seed, replica_normal


class Codes(NamedTuple):
    """What a video is made of.

    Attributes:
        content: `(videos, content_dim)`.
        motion: `(videos, motion_dim)`, or a list of them: one a band, or one a branch.
        noise: one `(videos, h, w, 1)` for each layer of the renderer that adds noise.
    """

    content: tf.Tensor
    motion: tf.Tensor | Sequence[tf.Tensor]
    noise: Sequence[tf.Tensor]


def draw_codes(generator: Generator, num_videos: int | tf.Tensor, seed: Seed = None) -> Codes:
    """Fresh standard normal codes and noise for `num_videos` videos of a generator."""
    seeds = tf.unstack(tf.random.split(as_seed(seed), 2 + len(generator.renderer.noises)))
    content, motion = (
        replica_normal((num_videos, dim), s)
        for dim, s in zip((generator.content_dim, generator.motion_dim), seeds, strict=False)
    )
    noise = [
        replica_normal((num_videos, size, size, 1), s)
        for size, s in zip(generator.renderer.noise_sizes, seeds[2:], strict=True)
    ]
    return Codes(content, motion, noise)
