"""What `rollout` and `generate` are given, checked before a family sees it."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hvp.errors import UserError

ROUNDING = 1e-3  # by which frames may leave [0, 1]: resizing and arithmetic round


def check_videos(videos: tf.Tensor, frame_shape: tuple[int, ...], at_least: int) -> None:
    """Raises a `ValueError` unless videos are floats, have frames of a shape, and enough of them.

    Args:
        videos: `(batch, time, height, width, channels)`.
        frame_shape: `(height, width, channels)`.
        at_least: frames.
    """
    _check_floats(videos)
    shape = tuple(videos.shape)
    if len(shape) != 5 or shape[2:] != frame_shape or shape[1] is None or shape[1] < at_least:
        raise ValueError(
            f"expected videos of shape (batch, time, {', '.join(map(str, frame_shape))}) with at "
            f"least {at_least} frames, received {shape}"
        )


def as_frames(videos: Any) -> tf.Tensor:
    """Videos as float32.

    Raises:
        ValueError: unless they are floats in [0, 1]; values are looked at outside of graphs only.
    """
    _check_floats(videos)
    frames = tf.cast(tf.convert_to_tensor(videos), tf.float32)
    if tf.executing_eagerly() and tf.size(frames) > 0:
        low, high = float(tf.reduce_min(frames)), float(tf.reduce_max(frames))
        if not (low >= -ROUNDING and high <= 1 + ROUNDING):
            raise ValueError(f"expected frames in [0, 1], received {low:.4g} to {high:.4g}")
    return frames


def _check_floats(videos: Any) -> None:
    dtype = tf.as_dtype(videos.dtype) if hasattr(videos, "dtype") else None
    if dtype is not None and not dtype.is_floating:
        raise ValueError(
            f"expected frames as floats in [0, 1], received {dtype.name}; divide bytes by 255"
        )


def check_counts(**counts: int) -> None:
    """Raises a `ValueError` unless every count is a whole number from 1."""
    for name, count in counts.items():
        try:
            enough = operator.index(count) >= 1
        except TypeError:
            enough = False
        if not enough:
            raise ValueError(f"{name} must be a whole number of at least 1, received {count!r}")


def check_masks(
    masks: tf.Tensor | None, shape: tuple[int | None, ...], needed: bool, model: str
) -> None:
    """Raises an error unless there are masks of a shape where, and only where, a model needs them.

    Args:
        shape: `(batch, time, height, width)` of the context.
        model: names it in messages.
    """
    if not needed:
        if masks is not None:
            raise ValueError(f"{model} takes no masks")
    elif masks is None:
        raise UserError(
            f"{model} needs masks, but there are no masks beside the frames; predict videos of a "
            "data set that has them, with data.masks: true"
        )
    elif tuple(masks.shape) != shape:
        raise ValueError(
            f"expected masks of shape {shape}, as the context has, received {tuple(masks.shape)}"
        )


def check_returned(frames: tf.Tensor, expected: tuple[int | None, ...], by: Callable) -> None:
    """Raises a `UserError` if what a family's method returned has another shape than it must."""
    if not frames.shape.is_compatible_with(expected):
        raise UserError(
            f"{by.__qualname__} returned shape {tuple(frames.shape)}, expected {expected}"
        )
