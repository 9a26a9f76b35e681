"""Encoder: frames to one feature sequence per level, and the residual cell it shares."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
from keras import layers

from hvp.layers import activations
from hvp.layers.custom_gradients import custom_gradient

LEAKY_SLOPE = 0.2  # TensorFlow's default for leaky_relu, not Keras' 0.3
RESIDUAL_SCALE = 0.1  # weight of the skip path in every residual of the paper


def leaky_relu(x: tf.Tensor) -> tf.Tensor:
    return activations.leaky_relu(x, LEAKY_SLOPE)


class ResidualCell(layers.Layer):
    """Two convolutions and squeeze-and-excite beside a scaled skip, after NVAE's cells.

    Maps `(batch, height, width, channels)` to the same shape.
    """

    def __init__(self, channels: int, **kwargs):
        super().__init__(**kwargs)
        self.convolutions = [
            layers.Conv2D(channels, 3, padding="same", name=f"conv_{i}") for i in range(2)
        ]
        # Weights alone: `_gate` is what is made of them.
        self.squeeze = layers.Dense(max(channels // 16, 4), name="squeeze")
        self.excite = layers.Dense(channels, name="excite")

    def build(self, shape: tuple[int | None, ...]) -> None:
        for convolution in self.convolutions:
            convolution.build(shape)
        self.squeeze.build((None, shape[-1]))
        self.excite.build((None, self.squeeze.units))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        first, second = self.convolutions
        y = second(activations.swish(first(x)))
        gate_weights = (
            self.squeeze.kernel,
            self.squeeze.bias,
            self.excite.kernel,
            self.excite.bias,
        )
        return _excited(x, y, *map(tf.convert_to_tensor, gate_weights))


@custom_gradient
def _excited(x: tf.Tensor, u: tf.Tensor, *weights: tf.Tensor) -> tuple[tf.Tensor, object]:
    """The cell's end, `0.1 x + swish(u) * gate`; `weights` of squeeze and excite."""
    y = tf.nn.silu(u)
    mean = tf.reduce_mean(y, axis=(1, 2))
    gate = _gate(mean, *weights)

    def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            tape.watch((mean, weights))
            gate = _gate(mean, *weights)
        dgate = tf.reduce_sum(dy * y, axis=(1, 2))
        dmean, dweights = tape.gradient(gate, (mean, weights), dgate)
        return RESIDUAL_SCALE * dy, _excited_slope(u, dy, gate, dmean), *dweights

    return RESIDUAL_SCALE * x + y * gate[:, None, None, :], gradient


def _gate(
    mean: tf.Tensor,
    squeeze: tf.Tensor,
    squeeze_bias: tf.Tensor,
    excite: tf.Tensor,
    excite_bias: tf.Tensor,
) -> tf.Tensor:
    """What each channel is multiplied by, `(batch, channels)`."""
    squeezed = tf.nn.relu(tf.matmul(mean, squeeze) + squeeze_bias)
    return tf.sigmoid(tf.matmul(squeezed, excite) + excite_bias)


@tf.function(jit_compile=True, autograph=False)
def _excited_slope(u: tf.Tensor, dy: tf.Tensor, gate: tf.Tensor, dmean: tf.Tensor) -> tf.Tensor:
    """The gradient of `u` from the output's and that of the mean of its swish."""
    gate, dmean = gate[:, None, None, :], dmean[:, None, None, :]
    area = tf.cast(tf.shape(u)[1] * tf.shape(u)[2], u.dtype)
    return (dy * gate + dmean / area) * activations.swish_slope(u)


def encoder_filters(size: int, base: int) -> list[int]:
    """Filters of the stride-2 convolutions: as many as bring `size` pixels down to 2."""
    stages = {32: 3, 64: 4, 128: 5, 256: 6}[size]
    return [base * 2 ** min(stage, 3) for stage in range(stages)]


class Encoder(layers.Layer):
    """Convolutions on each frame, then dense stacks that climb the levels.

    The features of level `l` are summed over groups of `factor**l` frames (temporal merging), the
    last group padded with zeros.

    Args:
        size: frame height and width, one of 32, 64, 128, 256. 64 is the published one; the others
            drop or add stride-2 convolutions so that the last stage is 2x2 as well.
        levels, factor: number of levels and temporal abstraction factor.
        base_filters: filters of the first convolution (32 in the paper).
        dense_layers, dense_size: the stack between one level and the next.
        residual_cell: a `ResidualCell` after the first convolution.
        residual_features: a level adds a tenth of the features of the level below.
    """

    def __init__(
        self,
        size: int,
        levels: int,
        factor: int,
        base_filters: int,
        dense_layers: int,
        dense_size: int,
        residual_cell: bool,
        residual_features: bool,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.size, self.factor = size, factor
        self.residual_features = residual_features
        filters = encoder_filters(size, base_filters)
        self.convolutions = [
            layers.Conv2D(f, 4, strides=2, activation=leaky_relu, name=f"conv_{i}")
            for i, f in enumerate(filters)
        ]
        self.residual_cell = ResidualCell(filters[0], name="residual") if residual_cell else None
        self.feature_size = 2 * 2 * filters[-1]
        self.dense_stacks = [
            [
                *(
                    layers.Dense(dense_size, activation="relu", name=f"level_{level}_dense_{i}")
                    for i in range(dense_layers - 1)
                ),
                layers.Dense(self.feature_size, name=f"level_{level}_dense_{dense_layers - 1}"),
            ]
            for level in range(1, levels)
        ]

    def build(self, shape: tuple[int | None, ...]) -> None:
        frames = (None, self.size, self.size, shape[-1])
        for i, convolution in enumerate(self.convolutions):
            convolution.build(frames)
            frames = convolution.compute_output_shape(frames)
            if i == 0 and self.residual_cell is not None:
                self.residual_cell.build(frames)
        for stack in self.dense_stacks:
            width = self.feature_size
            for dense in stack:
                dense.build((None, None, width))
                width = dense.units

    def frame_features(self, frames: tf.Tensor) -> tf.Tensor:
        """Convolutional features of single frames: `(n, height, width, channels) -> (n, F)`."""
        x = frames
        for i, convolution in enumerate(self.convolutions):
            x = convolution(x)
            if i == 0 and self.residual_cell is not None:
                x = self.residual_cell(x)
        return tf.reshape(x, (-1, self.feature_size))

    def level_features(self, features: tf.Tensor) -> list[tf.Tensor]:
        """Features of every level before temporal merging, each `(batch, time, F)`."""
        outputs, running = [features], features
        for stack in self.dense_stacks:
            for dense in stack:  # reads the dense output below, not the residual sum
                running = dense(running)
            residual = RESIDUAL_SCALE * outputs[-1] if self.residual_features else 0.0
            outputs.append(residual + running)
        return outputs

    def call(
        self, videos: tf.Tensor, find: Callable[[tf.Tensor], tf.Tensor] | None = None
    ) -> list[tf.Tensor]:
        """Videos `(batch, time, h, w, c)` to one `(batch, ceil(time / k**l), F)` a level.

        `find` stands for `frame_features`: the same, some frames at a time.
        """
        batch, time = tf.shape(videos)[0], videos.shape[1]
        frames = tf.reshape(videos, (-1, *videos.shape[2:]))  # (batch * time, h, w, c)
        find = self.frame_features if find is None else find
        features = tf.cast(find(frames), self.compute_dtype)
        features = tf.reshape(features, (batch, time, self.feature_size))
        return [
            merge_time(f, self.factor**level)
            for level, f in enumerate(self.level_features(features))
        ]


def merge_time(features: tf.Tensor, group: int) -> tf.Tensor:
    """Sums groups of `group` steps: `(batch, time, F) -> (batch, ceil(time / group), F)`."""
    if group == 1:
        return features
    time, width = features.shape[1:]
    features = tf.pad(features, ((0, 0), (0, -time % group), (0, 0)))
    return tf.reduce_sum(tf.reshape(features, (-1, -(-time // group), group, width)), axis=2)
