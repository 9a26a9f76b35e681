"""Differential divergence (Tan et al., "Temporal Attention Unit", CVPR 2023, section 3.3)."""

from __future__ import annotations

import tensorflow as tf

TEMPERATURE = 0.1
TINY = 1e-12  # as in the published code


def differential_divergence(true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """How differently two videos change from frame to frame, whatever they show.

    The differences of neighbouring frames become distributions over a frame's values by a softmax;
    the result is the divergence KL(predicted || true), averaged over all values of all frames as
    in the published code.

    Args:
        true, predicted: `(batch, time, height, width, channels)`, at least 2 frames.

    Returns:
        A scalar, 0 for equal changes.

    Example:
        >>> video = tf.random.stateless_uniform((2, 4, 8, 8, 1), (0, 0))
        >>> float(differential_divergence(video, video + 0.1)) < 1e-6
        True
    """
    of_true, of_predicted = (_log_changes(video) for video in (true, predicted))
    p = tf.exp(of_predicted)
    ratio = tf.exp(of_predicted) / (tf.exp(of_true) + TINY)
    return tf.reduce_mean(p * tf.math.log(ratio + TINY))


def _log_changes(video: tf.Tensor) -> tf.Tensor:
    """`(batch, time - 1, values)`."""
    changes = video[:, 1:] - video[:, :-1]
    shape = tf.shape(changes)
    return tf.nn.log_softmax(tf.reshape(changes, (shape[0], shape[1], -1)) / TEMPERATURE)
