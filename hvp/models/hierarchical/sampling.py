"""Which ticks see frames, which keep their samples, and decoding within bounded memory."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
from keras import layers

from hvp.models.seeds import replica_rows

# Frames that convolutions see at once: bounds memory, and on a CPU small chunks stay in its caches.
CHUNK = 64
DROPPED_AFTER = (0.25, 0.75)  # `observation_dropout`: shares of a window, drawn between them


def in_chunks(function: Callable[[tf.Tensor], tf.Tensor], rows: tf.Tensor) -> tf.Tensor:
    """`function(rows)` for `(n, ...)`, of states or frames, a bounded number at a time; float32."""
    chunks = -(-tf.shape(rows)[0] // CHUNK)
    results = tf.TensorArray(tf.float32, size=chunks, infer_shape=False)

    def next_chunk(i: tf.Tensor, results: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        found = function(rows[i * CHUNK : (i + 1) * CHUNK])
        return i + 1, results.write(i, tf.cast(found, tf.float32))

    start = (tf.constant(0), results)
    loop = tf.while_loop(lambda i, _: i < chunks, next_chunk, start, parallel_iterations=1)
    return loop[1].concat()


def encode(encoder: layers.Layer, videos: tf.Tensor) -> list[tf.Tensor]:
    """`encoder(videos)`, whose convolutions see a bounded number of frames at a time."""
    return encoder(videos, find=lambda frames: in_chunks(encoder.frame_features, frames))


def frames_seen(videos: tf.Tensor, share: float, seed: tf.Tensor) -> tf.Tensor | None:
    """How many frames of each training window are observed, `(batch,)`, for `observation_dropout`.

    `None` stands for all of them.

    Args:
        videos: `(batch, time, ...)`.
        share: of the windows that are not observed to their end.
        seed: `(2,)`, the same on every replica.
    """
    if not share:
        return None
    time = videos.shape[1]
    uniform = replica_rows(
        lambda count: tf.random.stateless_uniform((count, 2), seed), tf.shape(videos)[0]
    )
    first, last = DROPPED_AFTER
    kept = tf.cast(tf.round((first + (last - first) * uniform[:, 0]) * time), tf.int32)
    return tf.where(uniform[:, 1] < share, kept, time)


def ticks_seen(seen: tf.Tensor | None, ticks: list[int], factor: int) -> list[tf.Tensor] | None:
    """Which ticks of each level are observed, 0 or 1, `(batch, ticks)`: those seen whole.

    Args:
        seen: of `frames_seen`.
        ticks: of each level, level 0 first; one of level `l` has `factor**l` frames.
    """
    if seen is None:
        return None
    return [
        tf.cast(tf.range(1, n + 1) * factor**level <= seen[:, None], tf.float32)
        for level, n in enumerate(ticks)
    ]


def keep_sample_masks(ticks: list[int], factor: int) -> list[tf.Tensor]:
    """`cell_reset_state`: where each level keeps its previous sample, as published.

    All ones at the top, 0, 1, 0, 1, ... one level below; each further level repeats the mask
    above it `factor` times and cuts it to its length.

    Args:
        ticks: of each level, level 0 first.
    """
    masks: list[tf.Tensor] = [tf.ones(ticks[-1])]
    for level in reversed(range(len(ticks) - 1)):
        if level == len(ticks) - 2:
            mask = tf.cast(tf.range(ticks[level]) % 2, tf.float32)
        else:
            mask = tf.tile(masks[0], [factor])[: ticks[level]]
        masks.insert(0, mask)
    return masks
