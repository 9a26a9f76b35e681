"""SDFNet: "Exploring Spatial Frequency Information for Enhanced Video Prediction Quality".

A SimVP-shaped predictor. Its temporal module sees time folded into channels; each stage of the
encoder is processed by blocks around an involution whose kernel size sets the receptive field and
so the spatial frequencies that the stage works on: S-blocks (1), M-blocks (15), D-blocks (21).
"""

from __future__ import annotations

import tensorflow as tf
from keras import layers

from hvp.layers.convolution import Convolution, PointwiseConvolution, normalised
from hvp.layers.initial_values import mmcv_values, pytorch_values
from hvp.layers.involution import Involution
from hvp.layers.normalisation import batch_norm
from hvp.models.frequency_predictor import FrequencyPredictor
from hvp.models.sdfnet.config import Operation, SDFNetConfig

RESIDUAL_FROM = 6  # blocks in a stage, from which each adds its input
LEAKY_SLOPE = 0.2


class SDFNet(FrequencyPredictor):
    """Predicts as many frames as it sees; see `SDFNetConfig` for the settings.

    Example:
        >>> model = hvp.models.SDFNet(height=64, width=64, frames=10, hidden=32)
        >>> model(np.zeros((2, 10, 64, 64, 1), "float32")).shape
        TensorShape([2, 10, 64, 64, 1])
    """

    config_class = SDFNetConfig

    @staticmethod
    def activation(x: tf.Tensor) -> tf.Tensor:
        return tf.maximum(x, LEAKY_SLOPE * x)

    def make_temporal_module(self) -> None:
        s = self.settings
        width = s.frames * s.hidden
        self.stem = Stem(width, s.operation, name="stem")
        self.blocks = [
            [
                Block(width, s, kernel, count >= RESIDUAL_FROM, name=f"s{i}_b{j}")
                for j in range(count)
            ]
            for i, (count, kernel) in enumerate(zip(s.blocks, s.involution_kernels, strict=True))
        ]

    def temporal_module(self, stages: list[tf.Tensor], training: bool) -> list[tf.Tensor]:
        stages = [*stages[:-1], self.stem(stages[-1], training=training)]
        outputs = []
        for x, blocks in zip(stages, self.blocks, strict=True):
            for block in blocks:
                x = block(x, training=training)
            outputs.append(x)
        return outputs


def neighbourhood_layer(operation: Operation, channels: int, kernel: int) -> layers.Layer:
    """What sees each pixel's neighbourhood: `channels` in and out, without activation."""
    if operation == "involution":
        return Involution(kernel, name="involution")
    return Convolution(channels, kernel, bias=False, initial=mmcv_values(), name="convolution")


class Stem(layers.Layer):
    """Before the deepest stage's blocks: convolutions around an involution, then max pooling."""

    def __init__(self, width: int, operation: Operation, **kwargs):
        super().__init__(**kwargs)
        self.convolutions = [
            Convolution(width // 2, 3, bias=False, initial=mmcv_values(), name="conv_0"),
            Convolution(width, 3, bias=False, initial=mmcv_values(), name="conv_1"),
        ]
        self.involution = neighbourhood_layer(operation, width // 2, 3)
        self.norms = [batch_norm(f"norm_{i}", activation=tf.nn.relu) for i in range(3)]

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        x = self.norms[0](self.convolutions[0](x), training=training)
        x = self.norms[1](self.involution(x, training=training), training=training)
        x = self.norms[2](self.convolutions[1](x), training=training)
        return tf.nn.max_pool2d(x, 3, strides=1, padding="SAME")


class Block(layers.Layer):
    """A bottleneck around an involution, or what `settings.operation` puts in its place."""

    def __init__(self, width: int, settings: SDFNetConfig, kernel: int, residual: bool, **kwargs):
        super().__init__(**kwargs)
        self.residual, middle = residual, width // settings.reduction
        self.reduce = PointwiseConvolution(
            middle, use_bias=False, name="reduce", **pytorch_values()
        )
        self.involution = neighbourhood_layer(settings.operation, middle, kernel)
        self.expand = PointwiseConvolution(width, use_bias=False, name="expand", **pytorch_values())
        self.norms = [batch_norm(f"norm_{i}", activation=tf.nn.relu) for i in range(2)]
        self.norms.append(batch_norm("norm_2"))  # activated after the residual

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        y = normalised(self.reduce, self.norms[0], x, training)
        y = self.norms[1](self.involution(y, training=training), training=training)
        y = normalised(self.expand, self.norms[2], y, training)
        return tf.nn.relu(y + x if self.residual else y)
