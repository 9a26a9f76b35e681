"""What a rollout needs beside the model: noise per sample, and decoding within bounded memory."""

from __future__ import annotations

import tensorflow as tf
from keras import layers

from hvp.models.base import fold_in

# Frames decoded at once: bounds memory, and on a CPU small chunks stay in its caches.
DECODER_CHUNK = 64


def sample_noise(
    seeds: tf.Tensor, num_samples: int, level: int, ticks: int, size: int
) -> tf.Tensor:
    """Normal noise of one level that depends on example and sample only.

    Args:
        seeds: `(batch, 2)` integers, one pair an example.

    Returns:
        `(num_samples * batch, ticks, size)`, sample-major.
    """

    def draw(seed_and_sample: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        seed, sample = seed_and_sample
        seed = fold_in(fold_in(seed, sample), level)
        return tf.random.stateless_normal((ticks, size), seed)

    samples = tf.repeat(tf.range(num_samples), tf.shape(seeds)[0])
    return tf.map_fn(
        draw, (tf.tile(seeds, (num_samples, 1)), samples), fn_output_signature=tf.float32
    )


def decode_in_chunks(decoder: layers.Layer, states: tf.Tensor) -> tf.Tensor:
    """`decoder(states)` for `(n, state)`, a bounded number of rows at a time."""
    rows = tf.shape(states)[0]
    chunks = -(-rows // DECODER_CHUNK)
    frames = tf.TensorArray(tf.float32, size=chunks, infer_shape=False)
    for i in tf.range(chunks):
        frames = frames.write(i, decoder(states[i * DECODER_CHUNK : (i + 1) * DECODER_CHUNK]))
    return frames.concat()
