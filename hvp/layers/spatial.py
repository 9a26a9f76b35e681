"""Per-frame encoder and decoder of the SimVP-shaped predictors, every stage kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf
from keras import layers

from hvp.layers.convolution import Convolution, PointwiseConvolution, TransposedConvolution
from hvp.layers.custom_gradients import gradients_in_turn
from hvp.layers.initial_values import pytorch_values
from hvp.layers.normalisation import GroupNormalization
from hvp.layers.shared import SharedLayers

STRIDES = (1, 2, 1, 2)


class _Stage(layers.Layer):
    """A convolution, group normalisation (2 groups) and an activation."""

    def __init__(self, convolution: layers.Layer, activation: Callable, **kwargs):
        super().__init__(**kwargs)
        self.convolution = convolution
        self.norm = GroupNormalization(2, activation, name="norm")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.norm(self.convolution(x))


class SpatialEncoder(layers.Layer):
    """Stages over single frames; returns the output of each.

    Args:
        filters: of every stage.
        kernels: odd kernel size of each stage; strides alternate 1, 2, 1, 2.
        activation: a function.

    Maps `(n, height, width, channels)` to one `(n, height / s, width / s, filters)` a stage, `s`
    being the product of strides so far.
    """

    def __init__(self, filters: int, kernels: Sequence[int], activation: Callable, **kwargs):
        super().__init__(**kwargs)
        self.stages = [
            _Stage(Convolution(filters, k, s, name="convolution"), activation, name=f"stage_{i}")
            for i, (k, s) in enumerate(zip(kernels, STRIDES, strict=True))
        ]
        self.recomputed = SharedLayers()

    def call(self, x: tf.Tensor) -> list[tf.Tensor]:
        first, *others = self.stages
        # Of a few channels it is soon computed anew, of full size, and needed last by the gradient.
        outputs = [self.recomputed(first, x)]
        for stage in others:
            outputs.append(stage(outputs[-1]))
        return outputs


class SpatialDecoder(layers.Layer):
    """The encoder's mirror image; adds each processed encoder stage on the way up.

    Args:
        filters, kernels, activation: as of the encoder (kernels in its order).
        channels: of the frames.

    Maps the list of processed stages, the encoder's order, to `(n, height, width, channels)`.
    """

    def __init__(
        self,
        filters: int,
        kernels: Sequence[int],
        activation: Callable,
        channels: int,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.stages = []
        for i, (kernel, stride) in enumerate(zip(kernels[::-1], STRIDES[::-1], strict=True)):
            if stride == 1:
                convolution = Convolution(filters, kernel, name="convolution")
            else:
                convolution = TransposedConvolution(filters, kernel, stride, name="convolution")
            self.stages.append(_Stage(convolution, activation, name=f"stage_{i}"))
        self.readout = PointwiseConvolution(channels, name="readout", **pytorch_values())

    def call(self, skips: list[tf.Tensor]) -> tf.Tensor:
        x = skips[-1]
        for stage, skip in zip(self.stages[:-1], skips[-2::-1], strict=True):
            # Or a stage's gradient would be in memory beside that of the skip it is added to.
            x, skip = gradients_in_turn(x, skip)
            x = stage(x) + skip
        return self.readout(self.stages[-1](x))


def fold_time(frames: tf.Tensor, time: int) -> tf.Tensor:
    """Time into channels, time-major: `(batch * time, h, w, c) -> (batch, h, w, time * c)`."""
    height, width, channels = frames.shape[1:]
    x = tf.reshape(frames, (-1, time, height, width, channels))
    x = tf.transpose(x, (0, 2, 3, 1, 4))  # (batch, h, w, time, c)
    return tf.reshape(x, (-1, height, width, time * channels))


def unfold_time(x: tf.Tensor, time: int) -> tf.Tensor:
    """The inverse of `fold_time`."""
    height, width, channels = x.shape[1:]
    x = tf.reshape(x, (-1, height, width, time, channels // time))
    x = tf.transpose(x, (0, 3, 1, 2, 4))  # (batch, time, h, w, c)
    return tf.reshape(x, (-1, height, width, channels // time))
