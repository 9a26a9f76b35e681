"""I3D: the video classifier whose logits the Fréchet video distance compares.

Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017: Inception-v1 inflated to three
dimensions, RGB, 400 classes of Kinetics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hvp.distances.i3d_checkpoint import NAME_PREFIX, Source, find_i3d_checkpoint, values_sha256
from hvp.distances.protocols import check_frames
from hvp.models.replicas import Replicas
from hvp.named_weights import assign_by_name

NUM_CLASSES = 400
RESOLUTION = 224  # pixels, of the frames that the network was trained on
FRAMES_AT_ONCE = 64  # about 1 GiB of activations in 224x224

# Channels of each block of branches: 1x1 alone; 1x1 and 3x3x3 of the second and of the third
# branch; 1x1 after the pooling.
_MIXED = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
# Window and stride of the pooling before a block, in (time, height, width).
_POOLING = {
    "Mixed_3b": ("MaxPool3d_3a_3x3", (1, 3, 3), (1, 2, 2)),
    "Mixed_4b": ("MaxPool3d_4a_3x3", (3, 3, 3), (2, 2, 2)),
    "Mixed_5b": ("MaxPool3d_5a_2x2", (2, 2, 2), (2, 2, 2)),
}


class Unit(keras.Layer):
    """Convolution without bias, batch normalization without scale, ReLU; inference only."""

    def __init__(self, in_channels: int, channels: int, size: int, stride: int, name: str) -> None:
        super().__init__(name=name, trainable=False, dtype="float32")
        self.convolution = keras.layers.Conv3D(
            channels, size, stride, padding="same", use_bias=False, dtype="float32"
        )
        self.normalization = keras.layers.BatchNormalization(
            scale=False, epsilon=1e-3, dtype="float32"
        )
        self.convolution.build((None, None, None, None, in_channels))
        self.normalization.build((None, None, None, None, channels))
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(self.normalization(self.convolution(x), training=False))

    def named_variables(self) -> dict[str, Any]:
        """Variables by the original names below the unit's own."""
        return {
            "conv_3d/w": self.convolution.kernel,
            "batch_norm/beta": self.normalization.beta,
            "batch_norm/moving_mean": self.normalization.moving_mean,
            "batch_norm/moving_variance": self.normalization.moving_variance,
        }


class I3D(keras.Model):
    """The network with its published weights, in float32 whatever the precision policy is.

    Args:
        weights: a TensorFlow checkpoint (its prefix or folder) or the folder of a TensorFlow Hub
            module, see `find_i3d_checkpoint`; or a mapping from original variable names to
            arrays; `None` takes what HVP_I3D_WEIGHTS names.

    Attributes:
        source: `hub`, `rgb_imagenet` or `other`: where the weights come from.
        sha256: file name -> SHA-256 of the weights' files; empty for a mapping.
        values_sha256: SHA-256 of the values themselves.
        description: of the embedding, for records.

    Raises:
        UserError: if the weights are missing, damaged or another network's.

    Example:
        >>> network = hvp.distances.I3D("i3d-kinetics-400_1")
        >>> network.embed(videos)                     # (batch, 400), what FVD compares
    """

    description = (
        f"400 logits of I3D, averaged over time; 8-bit frames resized to {RESOLUTION}x"
        f"{RESOLUTION} by TensorFlow 1's resize_bilinear, then 2x/255 - 1"
    )

    def __init__(self, weights: str | Path | Mapping[str, np.ndarray] | None = None) -> None:
        super().__init__(name="i3d", trainable=False, dtype="float32")
        self.source: Source = "other"
        self.sha256: dict[str, str] = {}
        if not isinstance(weights, Mapping):
            checkpoint = find_i3d_checkpoint(weights)
            self.source, self.sha256 = checkpoint.source, checkpoint.file_sha256()
            weights = checkpoint.read()
        self._units: dict[str, Unit] = {}
        self._replicas: Replicas | None = None
        self._add("Conv3d_1a_7x7", 3, 64, size=7, stride=2)
        self._add("Conv3d_2b_1x1", 64, 64)
        channels = self._add("Conv3d_2c_3x3", 64, 192, size=3)
        for block in _MIXED:
            channels = self._add_mixed(block, channels)
        self.head = keras.layers.Conv3D(NUM_CLASSES, 1, dtype="float32", trainable=False)
        self.head.build((None, None, None, None, channels))
        self.built = True
        assign_by_name(self.named_variables(), weights)
        self.values_sha256 = values_sha256(weights)
        self._embedding = tf.function(
            self._embed_some,
            input_signature=[tf.TensorSpec([None] * 4 + [3], tf.float32)],
            autograph=False,
        )

    def share_out(self, strategy: tf.distribute.Strategy) -> None:
        """Has every replica of `strategy`, in whose scope it was made, embed some of the clips."""
        self._replicas = Replicas(strategy)

    def named_variables(self) -> dict[str, Any]:
        """All variables by their original names."""
        named = {
            f"{NAME_PREFIX}{unit}/{name}": variable
            for unit, layer in self._units.items()
            for name, variable in layer.named_variables().items()
        }
        head = f"{NAME_PREFIX}Logits/Conv3d_0c_1x1/conv_3d"
        return {**named, f"{head}/w": self.head.kernel, f"{head}/b": self.head.bias}

    def call(self, videos: tf.Tensor) -> tf.Tensor:
        """Class logits, averaged over time, of videos in their own resolution.

        Args:
            videos: `(batch, time, height, width, 3)`, uint8 or float in [0, 1]; at least 9 frames
                of 193 to 224 pixels a side.

        Returns:
            `(batch, 400)`, float32.
        """
        x = videos
        for _, x in self._stages(videos):  # noqa: B007
            pass
        return tf.reduce_mean(self._logits_per_time(self._pooled(x)), 1)

    def endpoints(self, videos: tf.Tensor) -> dict[str, tf.Tensor]:
        """Every intermediate result by its original name, and where the video is large enough
        `features` `(batch, 1024)`, `logits_per_time` `(batch, steps, 400)` and `logits`.

        Args:
            videos: as in `call`, of any size.
        """
        results = dict(self._stages(videos))
        last = results["Mixed_5c"]
        if last.shape[1] >= 2 and min(last.shape[2:4]) >= 7:
            pooled = self._pooled(last)
            results["features"] = tf.reduce_mean(pooled, (1, 2, 3))
            results["logits_per_time"] = self._logits_per_time(pooled)
            results["logits"] = tf.reduce_mean(results["logits_per_time"], 1)
        return results

    def embed(self, videos: np.ndarray | tf.Tensor) -> np.ndarray:
        """The embedding that FVD compares: the logits of frames resized to 224x224.

        Resizing is TensorFlow 1's bilinear one, as in the FVD of the literature: pixel i of n is
        taken at i * size / n, without antialiasing. `tf.image.resize` does otherwise.

        Args:
            videos: `(batch, time, height, width, channels)`, uint8 or float in [0, 1], channels 1
                (repeated) or 3. A few videos go through the network at a time.

        Returns:
            `(batch, 400)`, float32.

        Raises:
            UserError: for videos of fewer than 9 frames.
            ValueError: for another shape.
        """
        if len(videos.shape) != 5 or videos.shape[-1] not in (1, 3):
            raise ValueError(
                "videos must be (batch, time, height, width, 1 or 3), received "
                f"{tuple(videos.shape)}"
            )
        check_frames(videos.shape[1])
        count = 1 if self._replicas is None else self._replicas.count
        at_once = count * max(1, FRAMES_AT_ONCE // videos.shape[1])
        parts = [np.zeros((0, NUM_CLASSES), np.float32)]
        for first in range(0, videos.shape[0], at_once):
            some = tf.convert_to_tensor(videos[first : first + at_once])
            some = tf.image.convert_image_dtype(some, tf.float32)
            if some.shape[-1] == 1:
                some = tf.repeat(some, 3, -1)
            if self._replicas is None:
                parts.append(self._embedding(some).numpy())
            else:
                parts.append(self._replicas.run(self._embedding, (some,), 0, "embed").numpy())
        return np.concatenate(parts)

    def _embed_some(self, videos: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(videos)
        frames = tf.reshape(videos, tf.concat([[-1], shape[2:]], 0))  # (batch * time, H, W, 3)
        # What tf.compat.v1.image.resize_bilinear calls, without its warning.
        frames = tf.raw_ops.ResizeBilinear(
            images=frames,
            size=(RESOLUTION, RESOLUTION),
            align_corners=False,
            half_pixel_centers=False,
        )
        return self.call(
            tf.reshape(frames, tf.stack([shape[0], shape[1], RESOLUTION, RESOLUTION, 3]))
        )

    # Layers --------------------------------------------------------------------------------

    def _add(
        self, name: str, in_channels: int, channels: int, size: int = 1, stride: int = 1
    ) -> int:
        layer_name = name.replace("/", "_")
        self._units[name] = Unit(in_channels, channels, size, stride, layer_name)
        return channels

    def _add_mixed(self, block: str, in_channels: int) -> int:
        b0, b1a, b1b, b2a, b2b, b3 = _MIXED[block]
        # The original's names have one slip.
        second = "Conv3d_0a_3x3" if block == "Mixed_5b" else "Conv3d_0b_3x3"
        self._add(f"{block}/Branch_0/Conv3d_0a_1x1", in_channels, b0)
        self._add(f"{block}/Branch_1/Conv3d_0a_1x1", in_channels, b1a)
        self._add(f"{block}/Branch_1/Conv3d_0b_3x3", b1a, b1b, size=3)
        self._add(f"{block}/Branch_2/Conv3d_0a_1x1", in_channels, b2a)
        self._add(f"{block}/Branch_2/{second}", b2a, b2b, size=3)
        self._add(f"{block}/Branch_3/Conv3d_0b_1x1", in_channels, b3)
        return b0 + b1b + b2b + b3

    def _stages(self, videos: tf.Tensor) -> Iterator[tuple[str, tf.Tensor]]:
        """Name and result of each stage in turn, `(batch, time, height, width, channels)`."""
        # 8-bit frames are divided by 255
        x = 2.0 * tf.image.convert_image_dtype(videos, tf.float32) - 1.0
        x = self._units["Conv3d_1a_7x7"](x)
        yield "Conv3d_1a_7x7", x
        x = tf.nn.max_pool3d(x, (1, 3, 3), (1, 2, 2), "SAME")
        yield "MaxPool3d_2a_3x3", x
        for name in ("Conv3d_2b_1x1", "Conv3d_2c_3x3"):
            x = self._units[name](x)
            yield name, x
        for block in _MIXED:
            if block in _POOLING:
                name, window, stride = _POOLING[block]
                x = tf.nn.max_pool3d(x, window, stride, "SAME")
                yield name, x
            x = self._mixed(block, x)
            yield block, x

    def _mixed(self, block: str, x: tf.Tensor) -> tf.Tensor:
        branches = {"Branch_3": tf.nn.max_pool3d(x, 3, 1, "SAME")}
        for name, unit in self._units.items():
            if name.startswith(f"{block}/"):
                branch = name.split("/")[1]
                branches[branch] = unit(branches.get(branch, x))
        return tf.concat([branches[branch] for branch in sorted(branches)], -1)

    def _pooled(self, x: tf.Tensor) -> tf.Tensor:
        """`(batch, steps, 1, 1, 1024)`."""
        return tf.nn.avg_pool3d(x, (2, 7, 7), 1, "VALID")

    def _logits_per_time(self, pooled: tf.Tensor) -> tf.Tensor:
        return tf.squeeze(self.head(pooled), (2, 3))
