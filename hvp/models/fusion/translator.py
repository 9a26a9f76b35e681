"""The image-video translator: a conditional GAN of 2-D convolutions, fusion picture to frame.

Published, in code of a related system by the same authors: a U-Net of five halvings (3x3
convolutions of stride 2 without bias, batch normalisation but for the first, LeakyReLU) of 64, 128,
256, 512, 512 filters, four transposed ones back with skip connections, batch normalisation, dropout
0.5 on the first three and ReLU, a last transposed one to the channels of a frame, tanh; a
discriminator of patches. There a LeakyReLU is left out wherever batch normalisation is; not here.

Our reading: as many stages as fit the frame, noise z as the dropout's, the previous frame as an
optional further condition, kernels of the discriminator (3), a bias in stages that have no
normalisation, and the pixel-shuffle head.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import tensorflow as tf
from keras import layers

from hvp.models.fusion.blocks import Stage, crop_to, leaky_relu, stages_that_fit, to_float32

NOISY_STAGES = 3  # upward stages with dropout


class Translator(layers.Layer):
    """The generator G: maps conditions `(n, height, width, c)` in [0, 1] to frames in [0, 1].

    Args:
        filters: of each halving; as many as fit the picture.
        channels: of a frame.
        accompanying: accompanying convolutions beside all stages.
        dropout: rate of the noise.
        upscale_factor: frames are this many times as high and wide as conditions.
        height, width: of a condition.
    """

    def __init__(
        self,
        filters: Sequence[int],
        channels: int,
        accompanying: bool,
        dropout: float,
        upscale_factor: int,
        height: int,
        width: int,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.dropout, self.upscale_factor = dropout, upscale_factor
        count = max(1, stages_that_fit(height, width, len(filters)))
        shared = {"accompanying": accompanying}
        self.down = [
            Stage(filters[i], (2, 2), norm=i > 0, name=f"down_{i}", **shared) for i in range(count)
        ]
        self.up = [
            Stage(filters[i], (2, 2), transposed=True, name=f"up_{i}", **shared)
            for i in range(count - 1)
        ]
        self.readout = Stage(
            channels * upscale_factor**2,
            (2, 2),
            transposed=True,
            norm=False,
            name="readout",
            **shared,
        )
        self.noise_shapes: list[tuple[int, int, int]] = []
        if dropout:
            for i in range(count - 1)[::-1][:NOISY_STAGES]:
                self.noise_shapes.append((*_halved(height, width, i + 1), filters[i]))
        self.frame_size = (height, width)

    def call(
        self,
        condition: tf.Tensor,
        noise: Sequence[tf.Tensor] | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Translates conditions.

        Args:
            condition: `(n, height, width, c)`: fusion pictures, with the previous frame behind.
            noise: z, standard normal, `(n, *shape)` for each of `noise_shapes`; None for none, the
                expectation.

        Returns:
            `(n, upscale_factor * height, upscale_factor * width, channels)`, float32 in [0, 1].
        """
        noise = list(noise or [])
        x, skips = 2.0 * condition - 1.0, []
        for down in self.down:
            x = leaky_relu(down(x, training=training))
            skips.append(x)
        for up, skip in zip(self.up[::-1], skips[-2::-1], strict=True):
            x = crop_to(up(x, training=training), skip)
            if noise:
                x = self._dropped(x, noise.pop(0))
            x = tf.concat([tf.nn.relu(x), skip], axis=-1)
        height, width = self.frame_size
        x = to_float32(self.readout(x)[:, :height, :width])
        if self.upscale_factor > 1:
            x = tf.nn.depth_to_space(x, self.upscale_factor)
        return (tf.tanh(x) + 1.0) / 2.0

    def _dropped(self, x: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Dropout by normal noise: what lies below its quantile of the rate goes."""
        kept = noise > NormalDist().inv_cdf(self.dropout)
        return x * tf.cast(kept, x.dtype) / (1.0 - self.dropout)


class Discriminator(layers.Layer):
    """The discriminator D of patches: conditions and frames to logits, `(n, h, w, 1)`, float32.

    Args:
        filters: of three halvings (no normalisation in the first) and of a last convolution.
    """

    def __init__(self, filters: Sequence[int], **kwargs):
        super().__init__(**kwargs)
        *halvings, last = filters
        self.stages = [
            Stage(count, (2, 2), norm=i > 0, name=f"down_{i}") for i, count in enumerate(halvings)
        ]
        self.stages.append(Stage(last, (1, 1), name="last"))
        self.readout = layers.Conv2D(1, 3, padding="same", name="readout")

    def call(self, condition: tf.Tensor, frames: tf.Tensor, training: bool = False) -> tf.Tensor:
        size = frames.shape[1:3]
        if condition.shape[1:3] != size:
            condition = tf.image.resize(condition, size, method="nearest")
        x = 2.0 * tf.concat([condition, frames], axis=-1) - 1.0
        for stage in self.stages:
            x = leaky_relu(stage(x, training=training))
        return to_float32(self.readout(x))


def _halved(height: int, width: int, times: int) -> tuple[int, int]:
    for _ in range(times):
        height, width = -(-height // 2), -(-width // 2)
    return height, width
