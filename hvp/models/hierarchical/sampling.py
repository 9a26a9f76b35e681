"""Decoding of a rollout within bounded memory."""

from __future__ import annotations

import tensorflow as tf
from keras import layers

# Frames decoded at once: bounds memory, and on a CPU small chunks stay in its caches.
DECODER_CHUNK = 64


def decode_in_chunks(decoder: layers.Layer, states: tf.Tensor) -> tf.Tensor:
    """`decoder(states)` for `(n, state)`, a bounded number of rows at a time."""
    rows = tf.shape(states)[0]
    chunks = -(-rows // DECODER_CHUNK)
    frames = tf.TensorArray(tf.float32, size=chunks, infer_shape=False)
    for i in tf.range(chunks):
        frames = frames.write(i, decoder(states[i * DECODER_CHUNK : (i + 1) * DECODER_CHUNK]))
    return frames.concat()
