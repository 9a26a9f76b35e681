"""Peak signal-to-noise ratio per frame."""

from __future__ import annotations

import math

import tensorflow as tf

from hvp.metrics._frames import checked, choose, clipped

# Identical frames would give infinity, and one infinite frame would swallow every mean above it.
# No other pair of 8-bit frames up to 185x185x3 comes below this error.
_MSE_FLOOR = 1e-10


def psnr(true: tf.Tensor, pred: tf.Tensor, convention: str = "default") -> tf.Tensor:
    """Peak signal-to-noise ratio of every frame, in dB, for a peak of 1.

    Average it over frames, examples and samples in dB, as every convention here does.

    Args:
        true: `(..., time, height, width, channels)`, float in [0, 1].
        pred: the same; leading axes broadcast, so `(samples, batch, ...)` meets `(batch, ...)`.
        convention: `default` (predictions clipped to [0, 1], one MSE per frame), `cwvae` or `svg`
            (one MSE per channel, the dB averaged, unclipped), `simvp-legacy` (8-bit frames whose
            squared difference wraps modulo 256, as published SimVP, SDFNet and DFDNet numbers).

    Returns:
        `(..., time)`, float32; at most 100 dB, which identical frames get in every convention.

    Raises:
        ValueError: for an unknown convention or frames of different shapes.
    """
    return choose("psnr", PSNR_CONVENTIONS, convention)(*checked(true, pred))


def _decibel(mean_squared_error: tf.Tensor) -> tf.Tensor:
    return (-10.0 / math.log(10.0)) * tf.math.log(tf.maximum(mean_squared_error, _MSE_FLOOR))


def _per_frame(true: tf.Tensor, pred: tf.Tensor) -> tf.Tensor:
    return _decibel(tf.reduce_mean(tf.square(true - clipped(pred)), (-3, -2, -1)))


def _per_channel(true: tf.Tensor, pred: tf.Tensor) -> tf.Tensor:
    per_channel = tf.reduce_mean(tf.square(true - pred), (-3, -2))  # (..., time, channels)
    return tf.reduce_mean(_decibel(per_channel), -1)


def _wrapped(true: tf.Tensor, pred: tf.Tensor) -> tf.Tensor:
    def to_bytes(video: tf.Tensor) -> tf.Tensor:
        return tf.cast(clipped(video) * 255.0, tf.int32)  # cut, not rounded

    difference = to_bytes(true) - to_bytes(pred)
    # The square modulo 256 is the same whether or not the difference wrapped before it.
    squared = tf.bitwise.bitwise_and(difference * difference, 255)
    mean = tf.reduce_mean(tf.cast(squared, tf.float32), (-3, -2, -1))
    return _decibel(mean / 255.0**2)


PSNR_CONVENTIONS = {
    "default": _per_frame,
    "cwvae": _per_channel,
    "svg": _per_channel,
    "simvp-legacy": _wrapped,
}
