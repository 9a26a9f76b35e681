"""The small network that comes with hvp: distances of videos without any download.

The encoder of a video autoencoder, trained on generated data by bench/train_video_features.py. Its
distances compare with no others': they serve to follow one's own experiments and to test.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from hvp.distances.i3d_checkpoint import values_sha256
from hvp.errors import UserError
from hvp.files import file_sha256

WEIGHTS = Path(__file__).parent / "assets" / "video_features.npz"
SIZE = 32  # pixels of a side that frames are resized to
# Output channels and (time, height, width) strides of the 3x3x3 convolutions.
LAYERS = ((16, (1, 2, 2)), (24, (2, 2, 2)), (32, (2, 2, 2)), (32, (1, 1, 1)))
NUM_FEATURES = 2 * LAYERS[-1][0]
_CLIPS_AT_ONCE = 32

Layer = tuple[tf.Tensor, tf.Tensor]  # kernel and bias


class SmallVideoNetwork:
    """Features of clips: mean and standard deviation of each channel of the code.

    Attributes:
        min_frames: that a clip needs at least.
        source, sha256, values_sha256, description: as of `hvp.distances.embedding.Embedding`.

    Example:
        >>> hvp.distances.SmallVideoNetwork().embed(videos)      # (batch, 64)
    """

    min_frames = 4  # for a code of one step in time
    source = "hvp"
    description = (
        f"{NUM_FEATURES} features of the small network that comes with hvp, of frames resized to "
        f"{SIZE}x{SIZE}; compares with no other features' numbers"
    )

    def __init__(self) -> None:
        with np.load(WEIGHTS, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        self.values_sha256 = values_sha256(arrays)
        self.sha256 = {WEIGHTS.name: file_sha256(WEIGHTS)}
        layers = range(len(LAYERS))
        weights = [
            (tf.constant(arrays[f"kernel_{i}"]), tf.constant(arrays[f"bias_{i}"])) for i in layers
        ]
        self._features = tf.function(
            functools.partial(features, weights),
            input_signature=[tf.TensorSpec([None, None, SIZE, SIZE, 3], tf.float32)],
            autograph=False,
        )

    def embed(self, videos: np.ndarray | tf.Tensor) -> np.ndarray:
        """Features of clips.

        Args:
            videos: `(batch, time, height, width, channels)`, uint8 or float in [0, 1], channels 1
                (repeated) or 3; at least `min_frames` frames.

        Returns:
            `(batch, 64)`, float32.

        Raises:
            UserError: for fewer frames.
        """
        if videos.shape[1] < self.min_frames:
            raise UserError(
                f"the small network needs clips of at least {self.min_frames} frames, found "
                f"{videos.shape[1]}"
            )
        parts = [np.zeros((0, NUM_FEATURES), np.float32)]
        for first in range(0, videos.shape[0], _CLIPS_AT_ONCE):
            parts.append(self._features(prepared(videos[first : first + _CLIPS_AT_ONCE])).numpy())
        return np.concatenate(parts)


def prepared(videos: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Clips as the network sees them: `(batch, time, 32, 32, 3)`, float32 in [0, 1]."""
    frames = tf.image.convert_image_dtype(tf.convert_to_tensor(videos), tf.float32)
    batch, time, height, width, channels = frames.shape
    flat = tf.reshape(frames, (-1, height, width, channels))
    if (height, width) != (SIZE, SIZE):
        flat = tf.image.resize(flat, (SIZE, SIZE), antialias=True)
    if channels == 1:
        flat = tf.repeat(flat, 3, -1)
    return tf.reshape(flat, (batch, time, SIZE, SIZE, 3))


def encode(weights: Sequence[Layer], videos: tf.Tensor) -> tf.Tensor:
    """The code, `(batch, time / 4, 4, 4, channels)`."""
    x = videos - 0.5
    for number, ((kernel, bias), (_, strides)) in enumerate(zip(weights, LAYERS, strict=True), 1):
        x = tf.nn.conv3d(x, kernel, (1, *strides, 1), "SAME") + bias
        if number < len(LAYERS):
            x = tf.nn.relu(x)
    return x


def features(weights: Sequence[Layer], videos: tf.Tensor) -> tf.Tensor:
    """`(batch, NUM_FEATURES)` of clips as `prepared` gives them."""
    mean, variance = tf.nn.moments(encode(weights, videos), (1, 2, 3))
    return tf.concat([mean, tf.sqrt(variance + 1e-8)], -1)
