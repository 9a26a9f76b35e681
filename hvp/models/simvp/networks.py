"""SimVP's parts around the translator: stages on single frames, down and up again.

Gao et al., "SimVP: Simpler yet Better Video Prediction", CVPR 2022, section 3.
"""

from __future__ import annotations

import itertools
from typing import Any

import tensorflow as tf
from keras import initializers, layers

from hvp.layers.convolution import Convolution
from hvp.layers.initial_values import pytorch_values
from hvp.layers.normalisation import GroupNormalization

SPATIAL_STDDEV = 0.02  # of the truncated normal that these convolutions start from


def strides(stages: int) -> list[int]:
    """Of the encoder's stages: 1, 2, 1, 2, ..."""
    return list(itertools.islice(itertools.cycle((1, 2)), stages))


class Stage(layers.Layer):
    """Convolution, where asked for to twice the size, group normalisation (2 groups), SiLU.

    Args:
        filters: of the result.
        kernel: odd size.
        stride: of the convolution.
        upsample: four times the filters, dealt out to twice the height and width.
    """

    def __init__(
        self, filters: int, kernel: int, stride: int = 1, upsample: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.upsample = upsample
        self.convolution = Convolution(
            filters * (4 if upsample else 1),
            kernel,
            stride,
            initial={"kernel_initializer": initializers.TruncatedNormal(stddev=SPATIAL_STDDEV)},
            name="convolution",
        )
        self.norm = GroupNormalization(2, tf.nn.silu, name="norm")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        x = self.convolution(x)
        if self.upsample:
            x = tf.nn.depth_to_space(x, 2)
        return self.norm(x)


class FrameEncoder(layers.Layer):
    """Maps `(n, height, width, channels)` to latents, `(n, height / s, width / s, filters)`.

    Also returns the first stage's output at full size, which the decoder adds before its last.
    """

    def __init__(self, filters: int, stages: int, kernel: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stages = [
            Stage(filters, kernel, stride, name=f"stage_{i}")
            for i, stride in enumerate(strides(stages))
        ]

    def call(self, frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x = skip = self.stages[0](frames)
        for stage in self.stages[1:]:
            x = stage(x)
        return x, skip


class FrameDecoder(layers.Layer):
    """The mirror image: latents and the skip to `(n, height, width, channels)`."""

    def __init__(
        self, filters: int, stages: int, kernel: int, channels: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.stages = [
            Stage(filters, kernel, upsample=stride == 2, name=f"stage_{i}")
            for i, stride in enumerate(reversed(strides(stages)))
        ]
        self.readout = layers.Conv2D(channels, 1, name="readout", **pytorch_values())

    def call(self, x: tf.Tensor, skip: tf.Tensor) -> tf.Tensor:
        for stage in self.stages[:-1]:
            x = stage(x)
        return self.readout(self.stages[-1](x + skip))
