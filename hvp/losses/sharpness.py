"""Losses that punish blur: gradient difference, and dissimilarity of structure."""

from __future__ import annotations

import tensorflow as tf

SSIM_WINDOW = 11


def gradient_difference(true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference of the absolute differences of neighbouring pixels.

    Mathieu, Couprie, LeCun, "Deep multi-scale video prediction beyond mean square error", ICLR
    2016, equation 6 with exponent 1, as a mean instead of a sum.

    Args:
        true, predicted: `(..., height, width, channels)`.

    Returns:
        A scalar: the mean along height and the one along width, added.
    """

    def steps(frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        down = tf.abs(frames[..., 1:, :, :] - frames[..., :-1, :, :])
        right = tf.abs(frames[..., 1:, :] - frames[..., :-1, :])
        return down, right

    pairs = zip(steps(true), steps(predicted), strict=True)
    return tf.add_n([tf.reduce_mean(tf.abs(a - b)) for a, b in pairs])


def structural_dissimilarity(true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """1 - SSIM (`tf.image.ssim`, data range 1), the mean over all frames; 0 for equal frames.

    Args:
        true, predicted: `(..., height, width, channels)` in [0, 1]. The Gaussian window of 11
            pixels shrinks with smaller frames.
    """
    frame = true.shape[-3:]
    window = min(SSIM_WINDOW, *frame[:2])
    true, predicted = (tf.reshape(frames, (-1, *frame)) for frames in (true, predicted))
    return 1.0 - tf.reduce_mean(tf.image.ssim(true, predicted, 1.0, filter_size=window))
