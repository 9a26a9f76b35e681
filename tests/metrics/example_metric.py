"""A metric of one's own: how far the edges of two frames are apart."""

import tensorflow as tf

from hvp.metrics import Metric, register_metric


def edge_error(true, pred, convention="default"):
    """Mean absolute difference of the frames' gradients.

    Args:
        true, pred: `(..., time, height, width, channels)`, float in [0, 1]. Leading axes
            broadcast: the evaluator compares `(samples, ...)` predictions with one truth.

    Returns:
        `(..., time)`, 0 for identical frames.
    """
    error = 0.0
    for axis in (-3, -2):  # along height, along width
        difference = tf.abs(_steps(true, axis) - _steps(tf.clip_by_value(pred, 0.0, 1.0), axis))
        error += tf.reduce_mean(difference, (-3, -2, -1))
    return error


def _steps(frames, axis):
    size = frames.shape[axis]
    return tf.gather(frames, range(1, size), axis=axis) - tf.gather(
        frames, range(size - 1), axis=axis
    )


EDGE_ERROR = Metric(
    name="edge_error",
    label="edge error",
    implementation=edge_error,
    higher_is_better=False,
    conventions={"default": "predictions clipped to [0, 1]; mean absolute difference of gradients"},
)
register_metric(EDGE_ERROR)  # in this process; see the docs for an installed package
