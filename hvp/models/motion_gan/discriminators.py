"""The five discriminators: of frames, of videos, their patch versions, and of pairs of frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import tensorflow as tf
from keras import layers

from hvp.layers.recompute import recomputed
from hvp.models.motion_gan.convolutions import resample
from hvp.models.motion_gan.generator import frames_at_once, resolutions
from hvp.models.motion_gan.layers import EqualConvolution, EqualDense
from hvp.models.motion_gan.motion import FourierFeatures

GROUP = 4  # examples whose spread the minibatch standard deviation measures
HALVINGS_IN_TIME = 2  # of the video discriminators, in their first blocks
PAIR_FEATURES, PAIR_EMBEDDING = 256, 128
PAIR_HIGHEST = 3.0  # of the initial frequencies that the distance of two frames is embedded by


class ResidualBlock(layers.Layer):
    """Two 3x3 convolutions and a 1x1 shortcut, both at half the size, over frames or videos.

    Args:
        middle, filters: outputs of the first and of the second convolution.
        strides: of the shortcut and the second convolution; two for frames, three for videos.
    """

    def __init__(self, middle: int, filters: int, strides: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        ones = (1,) * len(strides)
        self.strides, self.middle = strides, middle
        self.first = EqualConvolution(middle, 3, ones, name="first")
        self.second = EqualConvolution(filters, 3, strides, blur=True, name="second")
        self.shortcut = EqualConvolution(
            filters, 1, (*strides[:-2], 1, 1), activate=False, name="shortcut"
        )

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.first.build(shape)
        self.second.build((*shape[:-1], self.middle))
        self.shortcut.build(shape)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self._sum(self.second(self.first(x)), self._short(x))

    def call_recomputed(
        self, before: Sequence[layers.Layer], x: tf.Tensor, at_once: int
    ) -> tf.Tensor:
        """`call` after the layers `before`, of which the convolutions' results alone are kept.

        Only what lies between the convolutions is computed anew for the gradient.
        """
        stage = [*before, self]
        (y,) = recomputed(lambda x: self.first.linear(_chain(before, x)), stage, [x], at_once)

        def rest(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return self.second.linear(self.first.finish(y)), self._short(_chain(before, x))

        y, short = recomputed(rest, stage, [x, y], at_once)
        return self._sum(self.second.finish(y), short)

    def _short(self, x: tf.Tensor) -> tf.Tensor:
        return self.shortcut(resample(x, 1, 1, down=2))

    @staticmethod
    def _sum(y: tf.Tensor, short: tf.Tensor) -> tf.Tensor:
        return (y + short) / math.sqrt(2.0)


class Discriminator(layers.Layer):
    """From frames, or videos, in [-1, 1] to logits.

    Args:
        size: of the square frames, a power of two from 8.
        widths: resolution -> features, from 4 to `size`.
        frames: `None`: judges frames `(batch, size, size, channels)`; else videos
            `(batch, frames, size, size, channels)`.
        patch: one logit a patch and their mean, any number of frames; else one for the whole,
            which also sees how much examples of the batch differ.
        channels: of the frames.
        recompute_from: blocks whose input is of this size and above keep no more for the
            gradient than what goes in and what their convolutions make; 0: none.

    Returns `(batch, 1)`, the patch versions `(batch,)`.
    """

    outputs = 1
    built: bool  # Keras' own

    def __init__(
        self,
        size: int,
        widths: Mapping[int, int],
        frames: int | None = None,
        patch: bool = False,
        channels: int = 3,
        recompute_from: int = 0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)  # its layers cast
        self.recompute_from = recompute_from
        self.size, self.frames, self.patch, self.channels = size, frames, patch, channels
        video = frames is not None
        one = (1, 1, 1) if video else (1, 1)
        sizes = resolutions(size)[::-1]  # size, ... 8, 4
        self.widths = [widths[r] for r in sizes]
        self.first = EqualConvolution(self.widths[0], 1, one, name="first")
        self.blocks = []
        for i, (before, after) in enumerate(zip(self.widths, self.widths[1:], strict=False)):
            in_time = 2 if i < HALVINGS_IN_TIME else 1
            self.blocks.append(
                ResidualBlock(
                    middle=after if video else before,
                    filters=after,
                    strides=(in_time, 2, 2) if video else (2, 2),
                    name=f"block_{sizes[i]}",
                )
            )
        last = self.widths[-1]
        self.last = EqualConvolution(1 if patch else last, 3, one, name="last")
        if not patch:
            self.hidden = EqualDense(last, activate=True, name="hidden")
            self.head = EqualDense(self.outputs, name="head")

    def build(self, input_shape: tuple | None = None) -> None:
        """Makes all variables; the arguments of the constructor say all that it takes."""
        if self.built:
            return
        time = () if self.frames is None else (None,)
        shape = (None, *time, None, None, self._input_channels())
        self.first.build(shape)
        shape = (*shape[:-1], self.widths[0])
        for block, width in zip(self.blocks, self.widths[1:], strict=True):
            block.build(shape)
            shape = (*shape[:-1], width)
        last = self.widths[-1]
        if self.patch:
            self.last.build(shape)
        else:
            self.last.build((*shape[:-1], last + 1))
            length = 1
            if self.frames is not None:
                length = self.frames
                for block in self.blocks:
                    length = -(-length // block.strides[0])
            self.hidden.build((None, length * 16 * last))
            self.head.build((None, last))
        self.built = True

    def _input_channels(self) -> int:
        return self.channels

    def call(self, x: tf.Tensor) -> tf.Tensor:
        x = self._features(x)
        if self.patch:
            y = self.last(x)
            return tf.reduce_mean(y, axis=list(range(1, len(y.shape))))
        y = self.last(tf.concat([x, _spread(x)], axis=-1))
        return self.head(self.hidden(tf.reshape(y, (-1, self.hidden.kernel.shape[0]))))

    def _features(self, x: tf.Tensor) -> tf.Tensor:
        """What the blocks make of frames or videos."""
        for i, block in enumerate(self.blocks):
            size = self.size // 2**i
            before = [self.first] if i == 0 else []
            if self.recompute_from and size >= self.recompute_from:
                at_once = frames_at_once(size) if self.frames is None else 1
                x = block.call_recomputed(before, x, at_once)
            else:
                x = block(_chain(before, x))
        return x


class PairDiscriminator(Discriminator):
    """Judges two frames of a video and how far apart they are, without 3-D convolutions.

    Its arguments are those of a discriminator of frames.
    """

    outputs = PAIR_EMBEDDING

    def _input_channels(self) -> int:
        return 2 * self.channels

    def build(self, input_shape: tuple | None = None) -> None:
        if self.built:
            return
        self.distance = FourierFeatures(PAIR_FEATURES, 0.0, PAIR_HIGHEST, name="distance")
        self.distance.build((None,))
        self.embedding = EqualDense(PAIR_EMBEDDING, name="embedding")
        self.embedding.build((None, PAIR_FEATURES))
        super().build()

    def call(  # type: ignore[override]  # a pair's discriminator is asked with its distance
        self, pair: tf.Tensor, distance: tf.Tensor
    ) -> tf.Tensor:
        """Logits `(batch, 1)`.

        Args:
            pair: `(batch, 2, size, size, channels)`.
            distance: `(batch, 1)`, time between the frames; a clip spans 2.
        """
        # The original's order of channels: red of both, green of both, blue of both.
        x = tf.transpose(pair, (0, 2, 3, 4, 1))
        x = tf.reshape(x, (-1, *pair.shape[2:4], 2 * self.channels))
        embedding = self.embedding(self.distance(distance[:, 0]))
        y = tf.reduce_sum(super().call(x) * embedding, axis=1, keepdims=True)
        return y / math.sqrt(PAIR_EMBEDDING)


def _chain(before: Sequence[layers.Layer], x: tf.Tensor) -> tf.Tensor:
    for layer in before:
        x = layer(x)
    return x


def _spread(x: tf.Tensor) -> tf.Tensor:
    """The mean standard deviation over groups of examples, as one more channel.

    Groups are of 4 examples, or of the largest divisor of the batch below that.
    """
    batch, *rest = x.shape
    if batch is None:
        batch = tf.shape(x)[0]
        group = tf.reduce_max(
            tf.range(1, GROUP + 1) * tf.cast(batch % tf.range(1, GROUP + 1) == 0, tf.int32)
        )
    else:
        group = max(n for n in range(1, GROUP + 1) if batch % n == 0)
    y = tf.reshape(x, (group, batch // group, *rest))
    stddev = tf.sqrt(tf.math.reduce_variance(y, axis=0) + 1e-8)
    mean = tf.reduce_mean(stddev, axis=list(range(1, len(stddev.shape))), keepdims=True)
    spread = tf.tile(mean, (group, *[1] * (len(stddev.shape) - 1)))  # (batch, 1, ..., 1)
    return tf.broadcast_to(spread, (batch, *rest[:-1], 1))
