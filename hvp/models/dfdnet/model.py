"""DFDNet: "Disentangling and Filtering Dynamics for Enhanced Video Prediction".

A SimVP-shaped predictor. Its temporal module sees time folded into channels, and its blocks filter
the features' spectra along both axes of the frame by thresholds.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import layers

from hvp.layers import activations
from hvp.layers.convolution import (
    Convolution,
    PointwiseConvolution,
    TransposedConvolution,
    normalised,
)
from hvp.layers.custom_gradients import gradients_in_turn
from hvp.layers.initial_values import mmcv_values, pytorch_values
from hvp.layers.normalisation import batch_norm
from hvp.layers.shared import SharedLayers
from hvp.models.dfdnet.blocks import FilterBlock, FilterBlocks
from hvp.models.dfdnet.config import SEGMENTS, DFDNetConfig
from hvp.models.frequency_predictor import FrequencyPredictor

RESIDUAL_FROM = 4  # blocks in a stage, from which each adds its input


class DFDNet(FrequencyPredictor):
    """Predicts as many frames as it sees; see `DFDNetConfig` for the settings.

    The filters' sizes follow from the frame size, so a model works on the size it was made for.

    Example:
        >>> model = hvp.models.DFDNet(height=64, width=64, frames=10, hidden=16)
        >>> model(np.zeros((2, 10, 64, 64, 1), "float32")).shape
        TensorShape([2, 10, 64, 64, 1])
    """

    config_class = DFDNetConfig

    activation = staticmethod(activations.mish)

    def make_temporal_module(self) -> None:
        s = self.settings
        width = s.frames * s.hidden
        self.stem = Stem(width, stride=1, name="stem")
        # The first stage has the full frame size; its blocks work at half of it.
        self.first_stem = Stem(width, stride=2, name="first_stem")
        self.first_unstem = Unstem(width, name="first_unstem")
        # Blocks hold most of the operations and tensors.
        self.shared_layers = SharedLayers()
        self.blocks = [
            [Block(width, s, self.shared_layers, name=f"s{i}_b{j}") for j in range(count)]
            for i, count in enumerate(s.blocks)
        ]

    def temporal_module(self, stages: list[tf.Tensor], training: bool) -> list[tf.Tensor]:
        stages = [
            self.first_stem(stages[0], training=training),
            *stages[1:-1],
            self.stem(stages[-1], training=training),
        ]
        # Stages do not see each other. The last one first, as then the gradient of one is taken
        # after another's and not beside it; but weights are drawn in the order of the stages.
        built = all(block.built for blocks in self.blocks for block in blocks)
        order = range(len(stages))[:: -1 if built else 1]
        for done, i in zip((None, *order), order, strict=False):
            if done is not None:
                stages[i], stages[done] = gradients_in_turn(stages[i], stages[done])
            residual = len(self.blocks[i]) >= RESIDUAL_FROM
            for block in self.blocks[i]:
                y = self.shared_layers(block, stages[i], training=training)
                stages[i] = tf.nn.relu(y + stages[i] if residual else y)
        stages[0] = self.first_unstem(stages[0], training=training)
        return stages


class Stem(layers.Layer):
    """Two convolutions; then max pooling, or a stride in the second one instead."""

    def __init__(self, width: int, stride: int, **kwargs):
        super().__init__(**kwargs)
        self.convolutions = [
            Convolution(width // 2, 3, bias=False, initial=mmcv_values(), name="conv_0"),
            Convolution(width, 3, stride, bias=False, initial=mmcv_values(), name="conv_1"),
        ]
        self.norms = [batch_norm(f"norm_{i}", activation=tf.nn.relu) for i in range(3)]
        self.pool = stride == 1

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        x = self.norms[0](self.convolutions[0](x), training=training)
        x = self.norms[1](x, training=training)
        x = self.norms[2](self.convolutions[1](x), training=training)
        return tf.nn.max_pool2d(x, 3, strides=1, padding="SAME") if self.pool else x


class Unstem(layers.Layer):
    """Two transposed convolutions, the second of which doubles height and width."""

    def __init__(self, width: int, **kwargs):
        super().__init__(**kwargs)
        self.convolutions = [
            TransposedConvolution(width // 2, 3, 1, name="conv_0"),
            TransposedConvolution(width, 3, 2, name="conv_1"),
        ]
        self.norm = batch_norm("norm", activation=tf.nn.relu)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        x = self.norm(self.convolutions[0](x), training=training)
        return self.convolutions[1](x)


class Block(layers.Layer):
    """A bottleneck around two parallel filter blocks of 4 and 8 channel segments.

    To be run by `shared`, with a residual and a ReLU after it. Where a whole block cannot be
    shared, its filter blocks are, which hold most of the operations.
    """

    def __init__(self, width: int, settings: DFDNetConfig, shared: SharedLayers, **kwargs):
        super().__init__(**kwargs)
        self.shared = shared
        middle = width // settings.reduction
        self.reduce = PointwiseConvolution(
            middle, use_bias=False, name="reduce", **pytorch_values()
        )
        self.filters = [
            FilterBlock(segments, settings, name=f"filter_{segments}") for segments in SEGMENTS
        ]
        self.expand = PointwiseConvolution(width, use_bias=False, name="expand", **pytorch_values())
        self.norms = [batch_norm("norm_0", activation=tf.nn.relu), batch_norm("norm_1")]

    def build(self, shape: tuple[Any, ...]) -> None:
        batch, height, width, _ = shape
        middle = (batch, height, width, self.reduce.filters)
        self.reduce.build(shape)
        self.norms[0].build(middle)
        for block in self.filters:
            block.build(middle)
        self.expand.build((batch, height, width, len(self.filters) * self.reduce.filters))
        self.norms[1].build(shape)
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        y = normalised(self.reduce, self.norms[0], x, training)
        y = self.shared(FilterBlocks(self.filters, dtype=self.dtype_policy), y)
        return normalised(self.expand, self.norms[1], y, training)
