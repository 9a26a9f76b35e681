"""Distances of the spectra of whole videos: 3DFL (SDFNet) and WFL (DFDNet) as metrics."""

from __future__ import annotations

import tensorflow as tf

from hvp.losses.frequency import Frequency3D, WeightedFrequency
from hvp.metrics._frames import FrameMetric, checked, choose, clipped


def frequency_3d(true: tf.Tensor, pred: tf.Tensor, convention: str = "default") -> tf.Tensor:
    """3DFL: mean squared difference of log power spectra over time, height and width.

    Args:
        true: `(..., time, height, width, channels)`, float in [0, 1].
        pred: the same; leading axes broadcast, so `(samples, batch, ...)` meets `(batch, ...)`.
        convention: `default` (predictions clipped to [0, 1]), `linear` (the same without the
            logarithm), `code` (as SDFNet's code: unclipped, over channels, height and width), or
            `code-linear`.

    Returns:
        `(...)`, float32: one number a video; 0 for equal power spectra.

    Raises:
        ValueError: for an unknown convention or frames of different shapes.
    """
    return choose("frequency_3d", FREQUENCY_3D_CONVENTIONS, convention)(*checked(true, pred))


def weighted_frequency(true: tf.Tensor, pred: tf.Tensor, convention: str = "default") -> tf.Tensor:
    """WFL: mean squared difference of spectra over time, height and width, weighted by frequency.

    Arguments, result and errors are as of `frequency_3d`.

    Args:
        convention: `default` (predictions clipped to [0, 1], the Gaussian in the middle of the
            spectrum as the transform gives it), `fftshift` (the same around frequency 0), or `code`
            (as DFDNet's code: unclipped, over channels, height and width).
    """
    choice = choose("weighted_frequency", WEIGHTED_FREQUENCY_CONVENTIONS, convention)
    return choice(*checked(true, pred))


def _per_video(loss: Frequency3D | WeightedFrequency, clip: bool) -> FrameMetric:
    def metric(true: tf.Tensor, pred: tf.Tensor) -> tf.Tensor:
        leading = tf.broadcast_dynamic_shape(tf.shape(true)[:-4], tf.shape(pred)[:-4])
        videos = (
            tf.reshape(
                tf.broadcast_to(video, tf.concat([leading, tf.shape(video)[-4:]], 0)),
                (-1, *true.shape[-4:]),
            )
            for video in (true, clipped(pred) if clip else pred)
        )
        return tf.reshape(tf.reduce_mean(loss.errors(*videos), (1, 2, 3, 4)), leading)

    return metric


FREQUENCY_3D_CONVENTIONS = {
    "default": _per_video(Frequency3D(), clip=True),
    "linear": _per_video(Frequency3D(log=False), clip=True),
    "code": _per_video(Frequency3D(axes="code"), clip=False),
    "code-linear": _per_video(Frequency3D(log=False, axes="code"), clip=False),
}
WEIGHTED_FREQUENCY_CONVENTIONS = {
    "default": _per_video(WeightedFrequency(), clip=True),
    "fftshift": _per_video(WeightedFrequency(shifted=True), clip=True),
    "code": _per_video(WeightedFrequency(axes="code"), clip=False),
}
