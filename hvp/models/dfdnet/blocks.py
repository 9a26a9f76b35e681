"""DFDNet's blocks: spatio-temporal attention (STAU) and the frequency filter (DFDU)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import layers

from hvp.layers import compiled
from hvp.layers.custom_gradients import custom_gradient
from hvp.layers.initial_values import pytorch_values
from hvp.layers.normalisation import NORM_EPSILON, LayerNormalization
from hvp.layers.shared import keeping, kept
from hvp.models.dfdnet.axis_filter import AxisFilter
from hvp.models.dfdnet.config import DFDNetConfig


class FilterBlocks(layers.Layer):
    """DFDBs side by side on the same features, whose results are concatenated, the last one first.

    Maps `(batch, height, width, channels)` to as many times the channels. The original exchanges
    the axes before and after, which shows in the layout of some weights only.

    Args:
        blocks: built.
    """

    def __init__(self, blocks: list[FilterBlock], **kwargs):
        super().__init__(**kwargs)
        self.blocks = blocks
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        each = [x for _ in self.blocks]
        if self.blocks[0].attention is not None:
            each = _attended(self.blocks, x)
        if self.blocks[0].filter is not None:
            pairs = zip(self.blocks, each, strict=True)
            each = [block.filter(*block.norm.beside(y)) for block, y in pairs]
        return tf.concat(each[::-1], axis=-1)


class FilterBlock(layers.Layer):
    """The weights of a DFDB: attention and frequency filter, each behind one shared layer norm.

    Both have a residual. See `FilterBlocks` for what they do.

    Args:
        segments: channel segments of the filter.
        settings: which parts there are, and how they filter.
    """

    def __init__(self, segments: int, settings: DFDNetConfig, **kwargs):
        super().__init__(**kwargs)
        self.norm = LayerNormalization(epsilon=NORM_EPSILON, name="norm")
        self.attention: Any = AttentionUnit(name="attention") if settings.attention else None
        self.filter: Any = None
        if settings.frequency_unit:
            self.filter = FrequencyFilterUnit(segments, settings, name="filter")

    def build(self, shape: tuple[Any, ...]) -> None:
        # Without it Keras would run `call` once more for the sake of the variables.
        for part in (self.norm, self.attention, self.filter):
            if part is not None:
                part.build(shape)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return FilterBlocks([self], dtype=self.dtype_policy)(x)


class AttentionUnit(layers.Layer):
    """The weights of STAU: a gated linear unit whose gate sees a 3x3 neighbourhood."""

    def build(self, shape: tuple[Any, ...]) -> None:
        channels = shape[-1]
        hidden = 2 * channels // 3
        self.expand = layers.Dense(2 * hidden, name="expand", **pytorch_values())
        self.neighbourhood = layers.DepthwiseConv2D(
            3, padding="same", name="neighbourhood", **pytorch_values(3 * 3, "depthwise")
        )
        self.project = layers.Dense(channels, name="project", **pytorch_values())
        self.expand.build(shape)
        self.neighbourhood.build((*shape[:-1], hidden))
        self.project.build((*shape[:-1], hidden))
        self.built = True


def _attended(blocks: list[FilterBlock], x: tf.Tensor) -> list[tf.Tensor]:
    """What the blocks' attention units make of `x`, each added to `x`.

    They see the same features normalised, so scales and shifts are taken into their first matrices,
    and these are one.
    """
    units = [block.attention for block in blocks]
    normal, x = blocks[0].norm.beside(x, affine=False)
    weights = (weight for block in blocks for weight in _attention_weights(block))
    joined = _joined(*map(tf.convert_to_tensor, weights))
    gates, values, gate_biases, value_biases, neighbourhood_biases, neighbourhoods = joined
    # Two products, as taking the result of one apart is a pass over memory.
    gate, value = _times(normal, gates, gate_biases), _times(normal, values, value_biases)
    # Computed anew they would take 8 % of an update (width 16, docs/benchmarks.md).
    gate, value = kept(gate), kept(value)
    gate = tf.nn.depthwise_conv2d(gate, neighbourhoods, (1, 1, 1, 1), "SAME")
    gate = tf.nn.bias_add(gate, neighbourhood_biases)
    parts = _gated(len(units))(gate, value)
    return [
        _times(part, unit.project.kernel, unit.project.bias) + x
        for unit, part in zip(units, parts, strict=True)
    ]


def _attention_weights(block: FilterBlock) -> tuple[Any, ...]:
    norm, first, around = block.norm, block.attention.expand, block.attention.neighbourhood
    return first.kernel, first.bias, norm.gamma, norm.beta, around.kernel, around.bias


ATTENTION_WEIGHTS = 6  # of a block


def _joined_weights(*weights: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Of the `_attention_weights` of several blocks those that act on what they all see.

    They are the first matrices for gates and for values and the biases of both, with the norms'
    scales and shifts; and biases and kernels of the neighbourhoods.
    """
    each = []
    for i in range(0, len(weights), ATTENTION_WEIGHTS):
        kernel, bias, gamma, beta, around, around_bias = weights[i : i + ATTENTION_WEIGHTS]
        gamma, beta = tf.cast(gamma, kernel.dtype), tf.cast(beta, kernel.dtype)
        bias += tf.linalg.matvec(kernel, beta, transpose_a=True)
        first = (*tf.split(kernel * gamma[:, None], 2, -1), *tf.split(bias, 2, -1))
        # The original's first axis is the width.
        each.append((*first, around_bias, tf.transpose(around, (1, 0, 2, 3))))
    *others, neighbourhoods = zip(*each, strict=True)
    return *(tf.concat(same, -1) for same in others), tf.concat(neighbourhoods, 2)


# Small, but one by one they are forty operations with their gradients.
_joined = compiled.differentiable(_joined_weights, least=2**14)


class FrequencyFilterUnit(layers.Layer):
    """DFDU: filters and predicts along either axis, and mixes both crosswise.

    A branch of `settings.branches` that is missing leaves its axis as it is, or channels unmixed.
    The result is added to the second of two tensors `(batch, height, width, channels)`.

    Args:
        segments, settings: as of `FilterBlock`.
    """

    def __init__(self, segments: int, settings: DFDNetConfig, **kwargs):
        super().__init__(**kwargs)
        branches = settings.branches

        def axis_filter(axis: int, name: str) -> AxisFilter:
            return AxisFilter(axis, segments, settings.low_frequencies, settings.filter, name=name)

        self.first = axis_filter(2, "first") if "width" in branches else None
        self.second = axis_filter(1, "second") if "height" in branches else None
        self.mixes_channels = "channels" in branches

    def build(self, shape: tuple[Any, ...]) -> None:
        def dense(name: str) -> layers.Dense:
            layer = layers.Dense(shape[-1], use_bias=False, name=name, **pytorch_values())
            layer.build(shape)
            return layer

        for axis_filter in (self.first, self.second):
            if axis_filter is not None:
                axis_filter.build(shape)
        self.channels = dense("channels") if self.mixes_channels else None
        self.weight_first, self.weight_second = dense("weight_first"), dense("weight_second")
        self.built = True

    def call(self, x: tf.Tensor, onto: tf.Tensor) -> tf.Tensor:
        branches = (
            tf.zeros_like(x) if branch is None else branch(x)
            for branch in (self.first, self.second, self.channels)
        )
        weights = map(tf.convert_to_tensor, (self.weight_first.kernel, self.weight_second.kernel))
        return _mixed(x, *branches, onto, *weights)


def _times(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor | None = None) -> tf.Tensor:
    """The last axis times a matrix, plus a bias, which TensorFlow adds within the product.

    Of two matrices: given four axes, TensorFlow 2.21 crashes on some CPUs (`BatchMatMulMkl`).
    """
    y = tf.matmul(tf.reshape(x, (-1, x.shape[-1])), kernel)
    y = y if bias is None else tf.nn.bias_add(y, bias)
    return tf.reshape(y, (-1, *x.shape[1:-1], kernel.shape[-1]))


@functools.cache
def _gated(parts: int) -> Callable[..., tuple[tf.Tensor, ...]]:
    """A function of gates and values: their products, as `parts` tensors of equal channels."""

    @compiled.differentiable
    def run(gate: tf.Tensor, value: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # TensorFlow's own computes erfc, which takes longer.
        y = 0.5 * gate * (1.0 + tf.math.erf(gate * 0.5**0.5)) * value
        return tuple(tf.split(y, parts, axis=-1))

    return run


def _mixed(*tensors: tf.Tensor) -> tf.Tensor:
    """Both axes' predictions, added to `x`, times each other's means, added to `onto`.

    What a gradient needs of the first four is as much as the predictions, so that is kept instead.

    Args:
        tensors: x, predictions along the width and along the height, channels, onto, all `(batch,
            height, width, channels)`; and the matrices of both means.
    """
    return (_mixed_of_kept if keeping() else _mixed_at_once)(*tensors)


def _sums(
    x: tf.Tensor, along_width: tf.Tensor, along_height: tf.Tensor, channels: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """What is multiplied by means: for the width's predictions, the height's; and both means."""
    first, second = x + along_width, x + along_height
    means = tf.reduce_mean(first, 2, keepdims=True), tf.reduce_mean(second, 1, keepdims=True)
    return first + channels, second + channels, *means


def _weighted(*known: tf.Tensor) -> tf.Tensor:
    """Of `_sums`, and the matrices of both means: each times what is made of the other's mean."""
    first, second, mean_first, mean_second, weight_first, weight_second = known
    return first * _times(mean_second, weight_second) + second * _times(mean_first, weight_first)


@compiled.differentiable
def _mixed_at_once(*tensors: tf.Tensor) -> tf.Tensor:
    *branches, onto, weight_first, weight_second = tensors
    return _weighted(*_sums(*branches), weight_first, weight_second) + onto


@custom_gradient
def _mixed_of_kept(*tensors: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    *branches, onto, weight_first, weight_second = tensors
    known = (*map(kept, _sums_alone(*branches)), weight_first, weight_second)

    def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, ...]:
        *dbranches, dfirst, dsecond = _mixed_gradient(dy, *known)
        return *dbranches, dy, dfirst, dsecond

    return _weighted_onto(onto, *known), gradient


_sums_alone = compiled.without_gradient(_sums)


@compiled.without_gradient
def _weighted_onto(onto: tf.Tensor, *known: tf.Tensor) -> tf.Tensor:
    return _weighted(*known) + onto


@compiled.without_gradient
def _mixed_gradient(dy: tf.Tensor, *known: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """The gradients of the arguments of `_sums`, and of both weights."""
    with tf.GradientTape() as tape:
        tape.watch(known)
        y = _weighted(*known)
    first, second, mean_first, mean_second, *weights = tape.gradient(y, known, dy)
    _, height, width, _ = dy.shape
    along_width, along_height = first + mean_first / width, second + mean_second / height
    return along_width + along_height, along_width, along_height, first + second, *weights
