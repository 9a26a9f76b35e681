"""Mean squared and mean absolute error per frame."""

from __future__ import annotations

import tensorflow as tf

from hvp.metrics._frames import checked, choose, clipped

_PIXELS = (-3, -2, -1)


def mse(true: tf.Tensor, pred: tf.Tensor, convention: str = "default") -> tf.Tensor:
    """Squared error of every frame.

    Args:
        true: `(..., time, height, width, channels)`, float in [0, 1].
        pred: the same; leading axes broadcast, so `(samples, batch, ...)` meets `(batch, ...)`.
        convention: `default` (mean over the frame, predictions clipped to [0, 1]), `unclipped`, or
            `simvp` (sum over the frame, unclipped).

    Returns:
        `(..., time)`, float32, 0 for identical frames.

    Raises:
        ValueError: for an unknown convention or frames of different shapes.
    """
    return choose("mse", MSE_CONVENTIONS, convention)(*checked(true, pred))


def mae(true: tf.Tensor, pred: tf.Tensor, convention: str = "default") -> tf.Tensor:
    """Absolute error of every frame; arguments, conventions and result as for `mse`."""
    return choose("mae", MAE_CONVENTIONS, convention)(*checked(true, pred))


MSE_CONVENTIONS = {
    "default": lambda true, pred: tf.reduce_mean(tf.square(true - clipped(pred)), _PIXELS),
    "unclipped": lambda true, pred: tf.reduce_mean(tf.square(true - pred), _PIXELS),
    "simvp": lambda true, pred: tf.reduce_sum(tf.square(true - pred), _PIXELS),
}
MAE_CONVENTIONS = {
    "default": lambda true, pred: tf.reduce_mean(tf.abs(true - clipped(pred)), _PIXELS),
    "unclipped": lambda true, pred: tf.reduce_mean(tf.abs(true - pred), _PIXELS),
    "simvp": lambda true, pred: tf.reduce_sum(tf.abs(true - pred), _PIXELS),
}
