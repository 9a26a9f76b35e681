"""What all frame metrics share: checking the videos and choosing the convention."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import tensorflow as tf

FrameMetric = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def checked(true: tf.Tensor, pred: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Both videos as float32 tensors.

    Raises:
        ValueError: if they are not floating point or their frames differ in shape.
    """
    true, pred = tf.convert_to_tensor(true), tf.convert_to_tensor(pred)
    for name, video in (("true", true), ("pred", pred)):
        if not video.dtype.is_floating:
            raise ValueError(
                f"`{name}` must be floating point in [0, 1], received {video.dtype.name}; divide "
                "8-bit frames by 255"
            )
        if video.shape.rank is None or video.shape.rank < 4:
            raise ValueError(
                f"`{name}` must have shape (..., time, height, width, channels), received "
                f"{video.shape}"
            )
    if not true.shape[-4:].is_compatible_with(pred.shape[-4:]):
        raise ValueError(
            f"`true` and `pred` differ in (time, height, width, channels): {true.shape[-4:]} and "
            f"{pred.shape[-4:]}"
        )
    return tf.cast(true, tf.float32), tf.cast(pred, tf.float32)


def clipped(pred: tf.Tensor) -> tf.Tensor:
    """`pred` with values outside [0, 1] moved to the nearest end."""
    return tf.clip_by_value(pred, 0.0, 1.0)


def choose(metric: str, conventions: Mapping[str, FrameMetric], convention: str) -> FrameMetric:
    """The implementation of `convention`.

    Raises:
        ValueError: if the metric has no such convention; the message lists those it has.
    """
    if convention not in conventions:
        raise ValueError(
            f"{metric} has no convention {convention!r}; valid: {', '.join(conventions)}"
        )
    return conventions[convention]
