"""SimVP's translators: what happens between the latents of the seen and of the next frames.

All map `(batch, height, width, frames * hidden)`, time folded into channels, to the same shape.

- gSTA: Tan et al., "SimVP: Towards Simple yet Powerful Spatiotemporal Predictive Learning", 2022.
- TAU: Tan et al., "Temporal Attention Unit: Towards Efficient Spatiotemporal Predictive Learning",
  CVPR 2023.
- ConvMixer: Trockman and Kolter, "Patches Are All You Need?", 2022, as a translator.
- IncepU: Gao et al., "SimVP: Simpler yet Better Video Prediction", CVPR 2022.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from hvp.layers import activations
from hvp.layers.convolution import PointwiseConvolution
from hvp.layers.grouped import GroupedConvolution
from hvp.layers.initial_values import pytorch_values
from hvp.layers.normalisation import GroupNormalization, batch_norm
from hvp.models.seeds import fold_in, replica_rows

LAYER_SCALE = 0.01  # of an attention block's two branches, at the start
INCEPTION_KERNELS = (3, 5, 7, 11)
INCEPTION_GROUPS = 8
LEAKY_RELU = functools.partial(activations.leaky_relu, slope=0.2)


def _fan_out_normal(kernel: int, filters: int, groups: int = 1) -> keras.initializers.Initializer:
    """N(0, sqrt(2 / fan_out)), as the published code starts these convolutions."""
    return keras.initializers.RandomNormal(stddev=math.sqrt(2 * groups / (kernel**2 * filters)))


def _pointwise(filters: int, name: str) -> PointwiseConvolution:
    return PointwiseConvolution(filters, kernel_initializer=_fan_out_normal(1, filters), name=name)


def _depthwise(width: int, kernel: int, name: str, dilation: int = 1) -> layers.DepthwiseConv2D:
    return layers.DepthwiseConv2D(
        kernel,
        padding="same",
        dilation_rate=dilation,
        depthwise_initializer=_fan_out_normal(kernel, width, groups=width),
        name=name,
    )


def _dense(units: int, name: str) -> layers.Dense:
    start = keras.initializers.TruncatedNormal(stddev=0.02)
    return layers.Dense(units, use_bias=False, kernel_initializer=start, name=name)


def _gelu(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.gelu(x, approximate=False)


class SpatialGate(layers.Layer):
    """gSTA's gate: features of a large neighbourhood times the sigmoid of others."""

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.near = _depthwise(width, 5, "near")
        self.far = _depthwise(width, 7, "far", dilation=3)  # together they see 21 pixels
        self.mix = _pointwise(2 * width, "mix")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        features, gate = tf.split(self.mix(self.far(self.near(x))), 2, axis=-1)
        return tf.sigmoid(gate) * features


class TemporalGate(layers.Layer):
    """TAU's gate: static attention over a neighbourhood, times dynamic attention over channels."""

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.near = _depthwise(width, 5, "near")
        self.far = _depthwise(width, 7, "far", dilation=3)
        self.mix = _pointwise(width, "mix")
        reduction = max(width // 16, 4)
        self.squeeze = _dense(width // reduction, "squeeze")
        self.excite = _dense(width, "excite")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        mean = tf.reduce_mean(x, (1, 2), keepdims=True)  # (batch, 1, 1, width)
        channels = tf.sigmoid(self.excite(tf.nn.relu(self.squeeze(mean))))
        return channels * self.mix(self.far(self.near(x))) * x


class Attention(layers.Layer):
    """A gate between two 1x1 convolutions, and the input added."""

    def __init__(self, width: int, gate: type[layers.Layer], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.into, self.out = _pointwise(width, "into"), _pointwise(width, "out")
        self.gate = gate(width, name="gate")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return x + self.out(self.gate(_gelu(self.into(x))))


class FeedForward(layers.Layer):
    """1x1 to `ratio` times the width, depthwise 3x3, GELU, 1x1 back."""

    def __init__(self, width: int, ratio: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        inner = int(width * ratio)
        self.expand = _pointwise(inner, "expand")
        self.neighbourhood = _depthwise(inner, 3, "neighbourhood")
        self.project = _pointwise(width, "project")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.project(_gelu(self.neighbourhood(self.expand(x))))


class AttentionBlock(layers.Layer):
    """x + s1 attention(norm(x)), then x + s2 feed_forward(norm(x)); s1 and s2 one a channel."""

    def __init__(
        self, width: int, gate: type[layers.Layer], ratio: float, drop_path: float, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.norms = [batch_norm(f"norm_{i}") for i in range(2)]
        self.attention = Attention(width, gate, name="attention")
        self.feed_forward = FeedForward(width, ratio, name="feed_forward")
        self.drop_path = drop_path

    def build(self, shape: tuple[int | None, ...]) -> None:
        start = keras.initializers.Constant(LAYER_SCALE)
        self.scales = [
            self.add_weight(shape=shape[-1:], initializer=start, name=name)
            for name in ("scale_attention", "scale_feed_forward")
        ]
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False, seed: Any = None) -> tf.Tensor:
        branches: tuple[layers.Layer, ...] = (self.attention, self.feed_forward)
        for i, (norm, branch, scale) in enumerate(
            zip(self.norms, branches, self.scales, strict=True)
        ):
            y = scale * branch(norm(x, training=training))
            x = x + drop_examples(y, self.drop_path, training, seed, part=i)
        return x


class ConvMixerBlock(layers.Layer):
    """x + norm(GELU(depthwise 11x11)), then norm(GELU(1x1))."""

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.depthwise, self.pointwise = (
            _depthwise(width, 11, "depthwise"),
            _pointwise(width, "mix"),
        )
        self.norms = [batch_norm(f"norm_{i}") for i in range(2)]

    def call(self, x: tf.Tensor, training: bool = False, seed: Any = None) -> tf.Tensor:
        del seed  # nothing is random here
        x = x + self.norms[0](_gelu(self.depthwise(x)), training=training)
        return self.norms[1](_gelu(self.pointwise(x)), training=training)


def drop_examples(
    branch: tf.Tensor, probability: float, training: bool, seed: Any, part: int
) -> tf.Tensor:
    """Leaves a residual branch out of whole examples while training (stochastic depth)."""
    if not training or probability == 0 or seed is None:
        return branch
    seed = fold_in(seed, part)
    drawn = replica_rows(
        lambda rows: tf.random.stateless_uniform((rows, 1, 1, 1), seed), tf.shape(branch)[0]
    )
    kept = drawn >= probability
    return branch * tf.cast(kept, branch.dtype) / (1 - probability)


class MetaFormer(layers.Layer):
    """Blocks at the width that they receive; where widths change, a 1x1 convolution follows.

    Args:
        width: frames times hidden, of input and output.
        inner: width of the blocks but the first.
        blocks: how many, at least 2.
        kind: `gSTA`, `TAU` or `ConvMixer`.
        ratio: of the feed-forward part.
        drop_path: probability of leaving out a branch, growing from 0 in the first block to this.
    """

    def __init__(
        self,
        width: int,
        inner: int,
        blocks: int,
        kind: str,
        ratio: float = 8.0,
        drop_path: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        widths = [width, *[inner] * (blocks - 1)]
        nexts = [*[inner] * (blocks - 1), width]
        rates = [drop_path * i / (blocks - 1) for i in range(blocks)]
        self.blocks, self.reductions = [], []
        for i, (here, after, rate) in enumerate(zip(widths, nexts, rates, strict=True)):
            name = f"block_{i}"
            if kind == "ConvMixer":
                block = ConvMixerBlock(here, name=name)
            else:
                gate = {"gSTA": SpatialGate, "TAU": TemporalGate}[kind]
                block = AttentionBlock(here, gate, ratio, rate, name=name)
            self.blocks.append(block)
            self.reductions.append(None if here == after else _pointwise(after, f"reduction_{i}"))

    def call(self, x: tf.Tensor, training: bool = False, seed: Any = None) -> tf.Tensor:
        for i, (block, reduction) in enumerate(zip(self.blocks, self.reductions, strict=True)):
            own = None if seed is None else fold_in(seed, i)
            x = block(x, training=training, seed=own)
            x = x if reduction is None else reduction(x)
        return x


class InceptionBlock(layers.Layer):
    """1x1 to half of `inner`, then the sum of grouped convolutions of several sizes."""

    def __init__(self, inner: int, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        half = inner // 2
        groups = 1 if half % INCEPTION_GROUPS else INCEPTION_GROUPS
        self.reduce = PointwiseConvolution(half, name="reduce", **pytorch_values())
        self.convolutions = [
            GroupedConvolution(
                filters, k, padding="same", groups=groups, name=f"kernel_{k}", **pytorch_values()
            )
            for k in INCEPTION_KERNELS
        ]
        self.norms = [
            GroupNormalization(groups, LEAKY_RELU, name=f"norm_{k}") for k in INCEPTION_KERNELS
        ]

    def call(self, x: tf.Tensor) -> tf.Tensor:
        x = self.reduce(x)
        return tf.add_n(
            [
                norm(convolution(x))
                for norm, convolution in zip(self.norms, self.convolutions, strict=True)
            ]
        )


class InceptionUNet(layers.Layer):
    """IncepU: blocks down and up, U-shaped in depth, with concatenated skips.

    Args:
        width: frames times hidden, of input and output.
        inner: of the blocks.
        blocks: on each side.
    """

    def __init__(self, width: int, inner: int, blocks: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.down = [InceptionBlock(inner, inner, name=f"down_{i}") for i in range(blocks)]
        filters = [*[inner] * (blocks - 1), width]
        self.up = [InceptionBlock(inner, f, name=f"up_{i}") for i, f in enumerate(filters)]

    def call(self, x: tf.Tensor, training: bool = False, seed: Any = None) -> tf.Tensor:
        del training, seed  # the same in both modes
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
        x = self.up[0](x)
        for block, skip in zip(self.up[1:], reversed(skips[:-1]), strict=True):
            x = block(tf.concat((x, skip), axis=-1))
        return x


def make_translator(kind: str, width: int, settings: Any) -> layers.Layer:
    """The translator of `settings`, a `SimVPConfig`, for `width` = frames times hidden."""
    if kind == "IncepU":
        return InceptionUNet(
            width, settings.translator_width, settings.translator_blocks, name="translator"
        )
    return MetaFormer(
        width,
        settings.translator_width,
        settings.translator_blocks,
        kind,
        settings.feed_forward_ratio,
        settings.drop_path,
        name="translator",
    )
