"""Frames in [0, 1], as models see them, and in 8 bits, as files hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


def to_floats(frames: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Frames of any shape as float32 in [0, 1]: bytes over 255; floats stay as they are."""
    import tensorflow as tf

    if frames.dtype == np.uint8:
        return tf.cast(frames, tf.float32) / 255.0
    return tf.convert_to_tensor(frames)


def to_uint8(frames: np.ndarray | tf.Tensor) -> np.ndarray:
    """Frames of any shape in [0, 1] as 0 to 255: values beyond are clipped, then rounded.

    Half levels go to the even neighbour, as NumPy rounds. Computed in the type of `frames`.

    Example:
        >>> to_uint8(np.array([-1.0, 0.5, 1.0]))
        array([  0, 128, 255], dtype=uint8)
    """
    return np.rint(np.clip(np.asarray(frames), 0.0, 1.0) * 255).astype(np.uint8)
