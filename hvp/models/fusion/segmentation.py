"""Segmentation maps s: annotated objects, or regions found by colour, in a fixed palette."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from hvp.models.fusion.edges import luma
from hvp.models.seeds import Seed, fold_in

SAMPLED_PIXELS = 2048  # of a video, for finding its regions
K_MEANS_STEPS = 8
SAME_COLOUR = 1e-5  # squared distance; that of neighbouring 8-bit levels is 1.5e-5
UNUSED = 3.0  # brighter than any pixel, so the last of the labels


def palette(count: int, channels: int) -> np.ndarray:
    """The colours of `count` labels: float32 `(count, channels)` in [0, 1].

    Grey frames get evenly spaced greys, so that brighter regions stay brighter. Colour frames get
    PASCAL VOC's colours, which DAVIS uses too: bits 0, 3, 6 of a label make the upper bits of red,
    bits 1, 4, 7 of green, bits 2, 5 of blue.
    """
    if channels == 1:
        return np.linspace(0, 1, max(count, 2), dtype=np.float32)[:count, None]
    labels = np.arange(count)
    colours = np.zeros((count, 3), np.int64)
    for place in range(3):
        for channel in range(3):
            bit = (labels >> (3 * place + channel)) & 1
            colours[:, channel] |= bit << (7 - place)
    return (colours / 255).astype(np.float32)


def render(labels: tf.Tensor, count: int, channels: int) -> tf.Tensor:
    """Labels `(..., height, width)` in the palette: `(..., height, width, channels)`.

    Labels from `count` on share its last colour.
    """
    labels = tf.minimum(tf.cast(labels, tf.int32), count - 1)
    return tf.gather(palette(count, channels), labels)


def find_regions(videos: tf.Tensor, count: int, seed: Seed) -> tf.Tensor:
    """Colours that divide each video's pixels into regions, by a few steps of k-means.

    Starts from a pixel drawn by `seed`, and from there on the pixel farthest from all centres so
    far, which finds small regions that random pixels would miss. Deterministic given `seed`, and a
    video's regions do not depend on the rest of its batch.

    Args:
        videos: `(batch, time, height, width, channels)`, float32 in [0, 1].
        count: number of regions.
        seed: as of `VideoModel`.

    Returns:
        `(batch, count, channels)`, from dark to bright. Videos with fewer colours leave the last
        ones unused.
    """
    batch, channels = tf.shape(videos)[0], videos.shape[-1]
    pixels = tf.reshape(videos, (batch, -1, channels))
    places = tf.random.stateless_uniform(
        (SAMPLED_PIXELS,), fold_in(seed, 0), 0, tf.shape(pixels)[1], tf.int32
    )
    pixels = tf.gather(pixels, places, axis=1)  # (batch, SAMPLED_PIXELS, channels)
    centres = pixels[:, :1]
    for _ in range(1, count):
        nearest = tf.reduce_min(_distances(pixels, centres), axis=-1)
        farthest = tf.gather(pixels, tf.argmax(nearest, axis=-1), batch_dims=1)
        # Of two equal centres rounding would choose; a centre that is not needed goes out of reach.
        needed = tf.reduce_max(nearest, axis=-1, keepdims=True) > SAME_COLOUR
        farthest = tf.where(needed, farthest, UNUSED)
        centres = tf.concat([centres, farthest[:, None]], axis=1)
    for _ in range(K_MEANS_STEPS):
        members = tf.one_hot(tf.argmin(_distances(pixels, centres), axis=-1), count)
        sizes = tf.reduce_sum(members, axis=1)[..., None]  # (batch, count, 1)
        means = tf.einsum("bpk,bpc->bkc", members, pixels) / tf.maximum(sizes, 1.0)
        centres = tf.where(sizes > 0, means, centres)  # an empty region stays where it is
    order = tf.argsort(luma(centres)[..., 0], axis=-1, stable=True)
    return tf.gather(centres, order, batch_dims=1)


def quantize(videos: tf.Tensor, regions: tf.Tensor) -> tf.Tensor:
    """The nearest region of each pixel.

    Args:
        videos: `(batch, time, height, width, channels)`.
        regions: `(batch, count, channels)`, as `find_regions` gives.

    Returns:
        Labels, int32 `(batch, time, height, width)`, 0 the darkest region.
    """
    shape = tf.shape(videos)
    pixels = tf.reshape(videos, (shape[0], -1, videos.shape[-1]))
    labels = tf.argmin(_distances(pixels, regions), axis=-1, output_type=tf.int32)
    return tf.reshape(labels, shape[:-1])


def _distances(pixels: tf.Tensor, centres: tf.Tensor) -> tf.Tensor:
    """Squared distances `(batch, pixels, count)`."""
    return tf.reduce_sum(tf.square(pixels[:, :, None] - centres[:, None]), axis=-1)
