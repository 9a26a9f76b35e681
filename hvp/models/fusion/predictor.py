"""The fusion image prediction generator: a U-Net of 3-D convolutions over a window of pictures.

Published: a 3-D U-Net, 16 consecutive fusion pictures in, run recursively. Its shape is our
reading: it works on time, height and width; the first two halvings halve time as well, later ones
space alone; batch normalisation and activations are the translator's; sigmoid output.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from keras import layers

from hvp.models.fusion.blocks import Stage, crop_to, leaky_relu, stages_that_fit

TIME_HALVINGS = 2


class Predictor(layers.Layer):
    """Predicts the `step` fusion pictures after a window of them.

    Maps `(batch, frames, height, width, channels)` to `(batch, step, height, width, channels)`,
    float32 in [0, 1].

    Args:
        filters: of the first stage, at full size, and of each halving; as many as fit the picture.
        step: pictures predicted, at most as many as a window holds.
        channels: of a picture.
        accompanying: accompanying convolutions beside all stages.
        height, width: of a picture.
    """

    def __init__(
        self,
        filters: Sequence[int],
        step: int,
        channels: int,
        accompanying: bool,
        height: int,
        width: int,
        **kwargs,
    ):
        # In bfloat16 on CPUs, TensorFlow 2.21's kernel gradient of 3-D convolutions has NaNs.
        super().__init__(dtype="float32", **kwargs)
        self.step = step
        halvings = stages_that_fit(height, width, len(filters) - 1)
        strides = [(2 if i < TIME_HALVINGS else 1, 2, 2) for i in range(halvings)]
        shared: dict[str, Any] = {"accompanying": accompanying, "dtype": "float32"}
        self.entry = Stage(filters[0], (1, 1, 1), name="entry", **shared)
        self.down = [
            Stage(filters[i + 1], stride, name=f"down_{i}", **shared)
            for i, stride in enumerate(strides)
        ]
        self.middle = Stage(filters[halvings], (1, 1, 1), name="middle", **shared)
        self.up = [
            Stage(filters[i], stride, transposed=True, name=f"up_{i}", **shared)
            for i, stride in enumerate(strides)
        ]
        self.merge = [
            Stage(filters[i], (1, 1, 1), name=f"merge_{i}", **shared) for i in range(halvings)
        ]
        self.readout = layers.Conv3D(channels, 1, dtype="float32", name="readout")

    def call(self, pictures: tf.Tensor, training: bool = False) -> tf.Tensor:
        x = leaky_relu(self.entry(2.0 * pictures - 1.0, training=training))
        skips = []
        for down in self.down:
            skips.append(x)
            x = leaky_relu(down(x, training=training))
        x = leaky_relu(self.middle(x, training=training))
        for up, merge, skip in zip(self.up[::-1], self.merge[::-1], skips[::-1], strict=True):
            x = crop_to(tf.nn.relu(up(x, training=training)), skip)
            x = tf.nn.relu(merge(tf.concat([x, skip], axis=-1), training=training))
        # Slice i of the last `step` predicts the i-th picture after the window.
        return tf.sigmoid(self.readout(x[:, -self.step :]))
