"""What the discriminators judge: real frames and videos, and as many that the generator makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from hvp.models.motion_gan import augment
from hvp.models.motion_gan.codes import draw_codes
from hvp.models.motion_gan.config import MotionGANConfig
from hvp.models.motion_gan.generator import Generator
from hvp.models.motion_gan.motion import time_grid
from hvp.models.seeds import fold_in, replica_rows


class Seen(NamedTuple):
    """What the discriminators judge, before augmentation, in [-1, 1].

    Attributes:
        images: `(batch, height, width, channels)`.
        videos: `(videos, time, height, width, channels)`, averaged down; two frames of each for the
            pair discriminator.
        distance: `(videos, 1)`, the time between the two frames.
    """

    images: tf.Tensor
    videos: tf.Tensor
    distance: tf.Tensor | None


def real_examples(s: MotionGANConfig, batch: tf.Tensor, seed: tf.Tensor) -> Seen:
    """One frame of each clip, and every `images_per_video`-th clip.

    Args:
        batch: `(batch, time, height, width, channels)` in [0, 1].
        seed: shape `(2,)`, of the choice of frames.
    """
    batch = batch[:, : s.video_length] * 2.0 - 1.0
    count = tf.shape(batch)[0]
    chosen = replica_rows(
        lambda n: tf.random.stateless_uniform(
            (n,), fold_in(seed, 0), maxval=s.video_length, dtype=tf.int32
        ),
        count,
    )
    images = tf.gather(batch, chosen, batch_dims=1)
    videos = batch[:: s.images_per_video]
    if s.video_discriminator != "pair":
        return Seen(images, _smaller(videos, s.video_discriminator_scale), None)
    positions = frame_pairs(s.video_length, tf.shape(videos)[0], fold_in(seed, 1))
    pairs = tf.gather(videos, positions, batch_dims=1)  # (videos, 2, h, w, c)
    return Seen(
        images,
        _smaller(pairs, s.video_discriminator_scale),
        time_between(positions, s.video_length),
    )


def made_examples(
    s: MotionGANConfig, generator: Generator, batch: tf.Tensor, seed: tf.Tensor
) -> Seen:
    """As many frames and videos as `real_examples` gives, from fresh codes each."""
    count = tf.shape(batch)[0]
    grid = tf.constant(time_grid(s.video_length))
    chosen = replica_rows(
        lambda n: tf.random.stateless_uniform(
            (n, 1), fold_in(seed, 2), maxval=s.video_length, dtype=tf.int32
        ),
        count,
    )
    codes = draw_codes(generator, count, fold_in(seed, 3))
    images = generator(codes.content, codes.motion, tf.gather(grid, chosen), codes.noise)
    videos = -(-count // s.images_per_video)
    codes = draw_codes(generator, videos, fold_in(seed, 4))
    distance = None
    if s.video_discriminator == "pair":
        positions = frame_pairs(s.video_length, videos, fold_in(seed, 5))
        grid, distance = tf.gather(grid, positions), time_between(positions, s.video_length)
    made = generator(codes.content, codes.motion, grid, codes.noise)
    return Seen(images[:, 0], _smaller(made, s.video_discriminator_scale), distance)


def frame_pairs(length: int, count: int | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Two different frames of each of `count` clips of a length, in order: `(count, 2)`."""
    order = replica_rows(lambda n: tf.random.stateless_uniform((n, length), seed), count)
    return tf.sort(tf.argsort(order, axis=1)[:, :2], axis=1)


def time_between(positions: tf.Tensor, length: int) -> tf.Tensor:
    """Between the two frames of pairs, in clips that span 2 units: `(count, 1)`."""
    steps = tf.cast(positions[:, 1:] - positions[:, :1], tf.float32)
    return steps * (2.0 / length)


def _smaller(videos: tf.Tensor, scale: float) -> tf.Tensor:
    """Averages height and width down to what the video discriminator sees."""
    factor = round(1 / scale)
    if factor == 1:
        return videos
    shape = (1, 1, factor, factor, 1)
    return tf.nn.avg_pool3d(videos, shape, shape, padding="VALID")


def augmented(seen: Seen, kind: str, policies: Sequence[str], seed: tf.Tensor) -> tf.Tensor:
    """The examples of one kind, `image` or `video`, as its discriminator sees them."""
    video = kind == "video"
    examples = seen.videos if video else seen.images
    seed = fold_in(seed, int(video))
    height, width = examples.shape[-3:-1]
    draws = replica_rows(
        lambda n: augment.draw(policies, n, height, width, seed), tf.shape(examples)[0]
    )
    return augment.apply(examples, draws)
