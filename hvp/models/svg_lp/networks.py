"""SVG-LP's networks: frame encoders and decoders with skips, and the recurrent nets.

Denton and Fergus, "Stochastic Video Generation with a Learned Prior", ICML 2018, section 3 and
appendix A. `dcgan` halves the size by strided convolutions, `vgg` by pooling between blocks of two
or three 3x3 convolutions. The published ones are for 64x64 frames; other powers of two from 16 on
have fewer or more stages.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from hvp.layers import activations
from hvp.layers.normalisation import Activation, batch_norm

WIDEST = 8  # times the first stage's features
LEAKY_RELU = functools.partial(activations.leaky_relu, slope=0.2)
WEIGHT_STDDEV = 0.02  # of all weights at the start, and of norm gains around 1
SMALLEST = 4  # height and width that the last stage leaves


def stage_filters(size: int, first: int) -> list[int]:
    """Features of each stage of a frame's encoder; 64, 128, 256, 512 for 64x64 frames and 64."""
    stages = int(math.log2(size // SMALLEST))
    return [first * min(2**i, WIDEST) for i in range(stages)]


def _normal(mean: float = 0.0) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(mean=mean, stddev=WEIGHT_STDDEV)


class Normalised(layers.Layer):
    """A convolution, batch normalisation and an activation.

    Args:
        convolution: a Keras layer.
        activation: of tensors.

    `call(x, training, groups)` and those of all nets of these: while training, each of `groups`
    parts of the batch is normalised by itself, in their order.
    """

    def __init__(
        self, convolution: layers.Layer, activation: Activation = LEAKY_RELU, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.convolution = convolution
        self.norm = batch_norm("norm", activation=activation, gamma_initializer=_normal(1.0))

    def call(self, x: tf.Tensor, training: bool = False, groups: int = 1) -> tf.Tensor:
        return self.norm(self.convolution(x), training=training, groups=groups)


def _convolution(filters: int, kernel: int, stride: int = 1, padding: str = "same") -> Any:
    # With kernel 4, stride 2 and even sizes, SAME pads 1 on each side as the original does.
    return layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding=padding,
        kernel_initializer=_normal(),
        name="convolution",
    )


def _transposed(filters: int, kernel: int, stride: int = 1, padding: str = "same") -> Any:
    return layers.Conv2DTranspose(
        filters,
        kernel,
        strides=stride,
        padding=padding,
        kernel_initializer=_normal(),
        name="convolution",
    )


class Sequence(layers.Layer):
    """Normalised convolutions one after the other."""

    def __init__(self, parts: list[Normalised], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parts = parts

    def call(self, x: tf.Tensor, training: bool = False, groups: int = 1) -> tf.Tensor:
        for part in self.parts:
            x = part(x, training=training, groups=groups)
        return x


def _vgg_stage(filters: list[int], name: str) -> Sequence:
    parts = [Normalised(_convolution(f, 3), name=f"part_{i}") for i, f in enumerate(filters)]
    return Sequence(parts, name=name)


def _vgg_depth(stage: int) -> int:
    return 2 if stage < 2 else 3


class FrameEncoder(layers.Layer):
    """Maps `(batch, size, size, channels)` to a code `(batch, code_size)` in (-1, 1) and skips.

    The skips are the stages' outputs, the largest first.
    """

    def __init__(
        self, size: int, code_size: int, backbone: str, first_filters: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        filters = stage_filters(size, first_filters)
        self.pooled = backbone == "vgg"
        if self.pooled:
            self.stages = [
                _vgg_stage([f] * _vgg_depth(i), f"stage_{i}") for i, f in enumerate(filters)
            ]
        else:
            self.stages = [
                Sequence([Normalised(_convolution(f, 4, 2), name="part_0")], name=f"stage_{i}")
                for i, f in enumerate(filters)
            ]
        self.head = Normalised(
            _convolution(code_size, SMALLEST, padding="valid"), tf.tanh, name="head"
        )

    def call(
        self, frames: tf.Tensor, training: bool = False, groups: int = 1
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        x, skips = frames, []
        for stage in self.stages:
            x = stage(x, training=training, groups=groups)
            skips.append(x)
            if self.pooled:
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        x = self.head(x, training=training, groups=groups)  # (batch, 1, 1, code_size)
        return tf.cast(x[:, 0, 0], tf.float32), skips


class FrameDecoder(layers.Layer):
    """The mirror image: a code and the encoder's skips to a frame in (0, 1)."""

    def __init__(
        self, size: int, channels: int, backbone: str, first_filters: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        filters = stage_filters(size, first_filters)
        self.pooled = backbone == "vgg"
        self.foot = Normalised(_transposed(filters[-1], SMALLEST, padding="valid"), name="foot")
        self.stages = []
        for i in reversed(range(1, len(filters))):
            below = filters[i - 1]
            if self.pooled:
                own = [filters[i]] * (_vgg_depth(i) - 1) + [below]
                self.stages.append(_vgg_stage(own, f"stage_{i}"))
            else:
                part = Normalised(_transposed(below, 4, 2), name="part_0")
                self.stages.append(Sequence([part], name=f"stage_{i}"))
        self.last = _vgg_stage([filters[0]], "last") if self.pooled else None
        kernel, stride = (3, 1) if self.pooled else (4, 2)
        self.readout = _transposed(channels, kernel, stride)

    def call(
        self, code: tf.Tensor, skips: list[tf.Tensor], training: bool = False, groups: int = 1
    ) -> tf.Tensor:
        how = {"training": training, "groups": groups}
        x = self.foot(code[:, None, None], **how)  # (batch, 4, 4, filters)
        for stage, skip in zip(self.stages, reversed(skips[1:]), strict=True):
            x = stage(self._joined(x, skip), **how)
        x = self._joined(x, skips[0])
        if self.last is not None:
            x = self.last(x, **how)
        return tf.sigmoid(tf.cast(self.readout(x), tf.float32))

    def _joined(self, x: tf.Tensor, skip: tf.Tensor) -> tf.Tensor:
        if self.pooled:
            x = tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
        return tf.concat((x, skip), axis=-1)


class LSTMCell(layers.Layer):
    """One LSTM step with PyTorch's two biases; gates in the order input, forget, cell, output."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape: tuple[int | None, ...]) -> None:
        # PyTorch's own start; the original's N(0, 0.02) is for convolutions and linear layers.
        bound = 1 / math.sqrt(self.units)

        def add(name: str, *shape: int | None) -> Any:
            initializer = keras.initializers.RandomUniform(-bound, bound)
            return self.add_weight(shape=shape, initializer=initializer, name=name)

        self.kernel = add("kernel", shape[-1], 4 * self.units)
        self.recurrent_kernel = add("recurrent_kernel", self.units, 4 * self.units)
        self.bias = add("bias", 4 * self.units)
        self.recurrent_bias = add("recurrent_bias", 4 * self.units)
        self.built = True

    def call(
        self, x: tf.Tensor, state: tuple[tf.Tensor, tf.Tensor]
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        hidden, cell = state
        gates = x @ self.kernel + self.bias + hidden @ self.recurrent_kernel + self.recurrent_bias
        i, f, g, o = tf.split(gates, 4, axis=-1)
        cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(g)
        hidden = tf.sigmoid(o) * tf.tanh(cell)
        return hidden, (hidden, cell)


State = list[tuple[tf.Tensor, tf.Tensor]]


class Recurrent(layers.Layer):
    """A linear embedding and LSTM cells; `heads` are linear layers on the last cell's output.

    Args:
        units: of embedding and cells.
        num_cells: of them.
        heads: sizes of the outputs.

    `call(x, state)` maps `(batch, n)` and the cells' states to the heads' outputs and new states,
    all float32 whatever the precision: there is little to gain, and states add up rounding errors.
    """

    def __init__(self, units: int, num_cells: int, heads: list[int], **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.units = units
        self.embed = self._linear(units, "embed")
        self.cells = [LSTMCell(units, dtype="float32", name=f"cell_{i}") for i in range(num_cells)]
        self.heads = [self._linear(size, f"head_{i}") for i, size in enumerate(heads)]

    def _linear(self, size: int, name: str) -> layers.Dense:
        return layers.Dense(size, kernel_initializer=_normal(), dtype="float32", name=name)

    def start(self, batch: Any) -> State:
        """Zero states for `batch` examples."""
        return [(tf.zeros((batch, self.units)), tf.zeros((batch, self.units))) for _ in self.cells]

    def call(self, x: tf.Tensor, state: State) -> tuple[list[tf.Tensor], State]:
        x, states = self.embed(x), []
        for cell, before in zip(self.cells, state, strict=True):
            x, after = cell(x, before)
            states.append(after)
        return [head(x) for head in self.heads], states
