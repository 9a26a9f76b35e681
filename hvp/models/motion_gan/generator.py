"""The generator: content and motion codes to a style a frame, and StyleGAN2 to frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import tensorflow as tf
from keras import initializers, layers

from hvp.layers.recompute import recomputed
from hvp.models.motion_gan.bands import Bands
from hvp.models.motion_gan.convolutions import resample
from hvp.models.motion_gan.layers import (
    EqualDense,
    ModulatedConvolution,
    leaky_relu,
    pixel_norm,
)
from hvp.models.motion_gan.motion import MotionBranch, frequency_ranges

MAPPING_RATE = 0.01
PIXELS_AT_ONCE = 2**14  # of stages that are computed anew


class CodeMapping(layers.Layer):
    """Pixel norm and `depth` dense layers of a hundredth of the learning rate; float32 always."""

    def __init__(self, units: int, depth: int, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.layers = [
            EqualDense(units, MAPPING_RATE, activate=True, dtype="float32", name=f"dense_{i}")
            for i in range(depth)
        ]

    def build(self, shape: tuple[int | None, ...]) -> None:
        for layer in self.layers:
            layer.build(shape)
            shape = (*shape[:-1], layer.units)
        self.built = True

    def call(self, code: tf.Tensor) -> tf.Tensor:
        x = pixel_norm(code)
        for layer in self.layers:
            x = layer(x)
        return x


class StyledConvolution(layers.Layer):
    """A modulated convolution, scaled noise of one channel, biases, leaky ReLU."""

    def __init__(self, filters: int, up: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.convolution = ModulatedConvolution(filters, 3, True, up, name="convolution")
        self.filters = filters

    def build(self, shape: tuple, style_shape: tuple) -> None:
        self.convolution.build(shape, style_shape)
        self.strength = self.add_weight(shape=(), initializer="zeros", name="noise_strength")
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.built = True

    def call(self, x: tf.Tensor, style: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        y = self.convolution(x, style)
        return leaky_relu(y + self.strength * noise + self.bias)


class ToFrame(layers.Layer):
    """A frame from features, added to the doubled frame of the stage before."""

    def __init__(self, channels: int, **kwargs):
        super().__init__(**kwargs)
        self.convolution = ModulatedConvolution(channels, 1, demodulate=False, name="convolution")
        self.channels = channels

    def build(self, shape: tuple, style_shape: tuple) -> None:
        self.convolution.build(shape, style_shape)
        self.bias = self.add_weight(shape=(self.channels,), initializer="zeros", name="bias")
        self.built = True

    def call(self, x: tf.Tensor, style: tf.Tensor, frame: tf.Tensor | None) -> tf.Tensor:
        y = self.convolution(x, style) + self.bias
        return y if frame is None else y + resample(frame, 2, 1, up=2)


class Renderer(layers.Layer):
    """StyleGAN2's synthesis network; every layer sees the same style.

    Args:
        size: of the square frames, a power of two from 8.
        widths: resolution -> features, from 4 to `size`.
        channels: of the frames.
        recompute_from: stages of this resolution and above keep their inputs alone for the
            gradient; 0: none.
    """

    def __init__(
        self,
        size: int,
        widths: Mapping[int, int],
        channels: int,
        recompute_from: int = 0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)  # its layers cast
        self.recompute_from = recompute_from
        self.size, self.widths = size, {r: widths[r] for r in resolutions(size)}
        self.first = StyledConvolution(self.widths[4], name="first")
        self.first_frame = ToFrame(channels, name="first_frame")
        self.stages = [
            (
                StyledConvolution(width, up=True, name=f"up_{r}"),
                StyledConvolution(width, name=f"same_{r}"),
                ToFrame(channels, name=f"frame_{r}"),
            )
            for r, width in list(self.widths.items())[1:]
        ]

    @property
    def noise_sizes(self) -> list[int]:
        """Height and width of the noise of each styled convolution."""
        return [4] + [r for r in list(self.widths)[1:] for _ in range(2)]

    def build(self, style_shape: tuple[int | None, ...]) -> None:
        self.constant = self.add_weight(
            shape=(1, 4, 4, self.widths[4]),
            initializer=initializers.RandomNormal(stddev=1.0),
            name="constant",
        )
        # What the original stores for noise that is not drawn anew.
        self.noises = [
            self.add_weight(
                shape=(1, size, size, 1),
                initializer=initializers.RandomNormal(stddev=1.0),
                trainable=False,
                name=f"noise_{i}",
            )
            for i, size in enumerate(self.noise_sizes)
        ]
        shape = (None, 4, 4, self.widths[4])
        self.first.build(shape, style_shape)
        self.first_frame.build(shape, style_shape)
        for (resolution, width), stage in zip(
            list(self.widths.items())[1:], self.stages, strict=True
        ):
            up, same, frame = stage
            up.build(shape, style_shape)
            shape = (None, resolution, resolution, width)
            same.build(shape, style_shape)
            frame.build(shape, style_shape)
        self.built = True

    def call(self, style: tf.Tensor, noise: Sequence[tf.Tensor]) -> tf.Tensor:
        """`style` `(n, dim)` and noise `(n or 1, h, w, 1)` to frames `(n, size, size, channels)`"""
        count = tf.shape(style)[0]
        x = tf.repeat(tf.convert_to_tensor(self.constant), count, axis=0)
        x = self.first(x, style, noise[0])
        frame = self.first_frame(x, style, None)
        for i, (size, stage) in enumerate(zip(list(self.widths)[1:], self.stages, strict=True)):
            inputs = [x, frame, style, noise[2 * i + 1], noise[2 * i + 2]]
            # The last features are not returned: their gradient would be zeros of their size.
            run = partial(_run_stage, stage, last=size == self.size)
            if self.recompute_from and size >= self.recompute_from:
                inputs[3:] = [tf.broadcast_to(n, (count, size, size, 1)) for n in inputs[3:]]
                *features, frame = recomputed(run, stage, inputs, frames_at_once(size))
            else:
                *features, frame = run(*inputs)
            (x,) = features or (x,)
        return frame


def _run_stage(
    stage: tuple[StyledConvolution, StyledConvolution, ToFrame],
    x: tf.Tensor,
    frame: tf.Tensor,
    style: tf.Tensor,
    noise_up: tf.Tensor,
    noise_same: tf.Tensor,
    last: bool,
) -> tuple[tf.Tensor, ...]:
    """From features and frames of half the size to features, but for the last, and frames."""
    up, same, to_frame = stage
    x = same(up(x, style, noise_up), style, noise_same)
    frame = to_frame(x, style, frame)
    return (frame,) if last else (x, frame)


class Generator(layers.Layer):
    """Hyun et al. 2023: style of frame t = mapped content + motions of t, one a frequency range.

    Args:
        size: of the square frames, a power of two from 8.
        content_dim, motion_dim: sizes of the codes.
        frequencies: upper ends of the branches' initial frequency ranges.
        widths: resolution -> features of the renderer, from 4 to `size`.
        content_layers, motion_layers: dense layers of either mapping.
        channels: of the frames.
        recompute_from: as of the renderer.

    Example:
        >>> generator = hvp.models.MotionGAN(height=64, width=64).generator
        >>> generator(content, motion, time_grid(16)).shape  # codes (2, dim)
        TensorShape([2, 16, 64, 64, 3])
    """

    built: bool  # Keras' own

    def __init__(
        self,
        size: int,
        content_dim: int,
        motion_dim: int,
        frequencies: Sequence[float],
        widths: Mapping[int, int],
        content_layers: int = 8,
        motion_layers: int = 2,
        channels: int = 3,
        recompute_from: int = 0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)  # styles are float32 whatever the precision
        self._allow_non_tensor_positional_args = True  # Keras would refuse the bands' edges
        self.size, self.content_dim, self.motion_dim = size, content_dim, motion_dim
        self.channels = channels
        self.content_mapping = CodeMapping(content_dim, content_layers, name="content_mapping")
        self.motion_mapping = CodeMapping(motion_dim, motion_layers, name="motion_mapping")
        self.branches = [
            MotionBranch(motion_dim, content_dim, low, high, name=f"motion_{i}")
            for i, (low, high) in enumerate(frequency_ranges(frequencies))
        ]
        self.renderer = Renderer(size, widths, channels, recompute_from, name="renderer")

    def build(self, input_shape: tuple | None = None) -> None:
        """Makes all variables; the arguments of the constructor say all that it takes."""
        if self.built:
            return
        self.content_mapping.build((None, self.content_dim))
        self.motion_mapping.build((None, self.motion_dim))
        for branch in self.branches:
            branch.build((None, None), (None, self.motion_dim))
        self.renderer.build((None, self.content_dim))
        self.built = True

    def call(
        self,
        content_code: tf.Tensor,
        motion_code: tf.Tensor | Sequence[tf.Tensor],
        time: tf.Tensor,
        noise: Sequence[tf.Tensor] | None = None,
        bands: Bands | None = None,
    ) -> tf.Tensor:
        """Renders videos.

        Args:
            content_code: `(batch, content_dim)`, normal.
            motion_code: `(batch, motion_dim)`, normal; or a list: one code for each band of
                `bands`, else one for each branch.
            time: `(frames,)` or `(batch, frames)`; see `time_grid`.
            noise: one `(batch, h, w, 1)` for each of `renderer.noise_sizes`, the same in all
                frames of a video; by default the fixed noise that is stored with the weights.
            bands: which frequencies move the video; all by default.

        Returns:
            `(batch, frames, size, size, channels)`, about [-1, 1], not clipped.

        Raises:
            ValueError: for a number of motion codes that fits neither bands nor branches.
        """
        style = self.style(content_code, motion_code, time, bands)
        batch, frames = tf.shape(style)[0], tf.shape(style)[1]
        if noise is None:
            noise = [tf.convert_to_tensor(n) for n in self.renderer.noises]
        else:
            noise = [tf.repeat(tf.convert_to_tensor(n), frames, axis=0) for n in noise]
        rendered = self.renderer(tf.reshape(style, (batch * frames, self.content_dim)), noise)
        rendered = tf.cast(rendered, tf.float32)
        rendered = tf.reshape(rendered, (batch, frames, self.size, self.size, self.channels))
        return tf.ensure_shape(rendered, (*style.shape[:2], *rendered.shape[2:]))

    def style(
        self,
        content_code: tf.Tensor,
        motion_code: tf.Tensor | Sequence[tf.Tensor],
        time: tf.Tensor,
        bands: Bands | None = None,
    ) -> tf.Tensor:
        """The style of every frame, `(batch, frames, content_dim)`; arguments as of `call`."""
        time = tf.cast(tf.convert_to_tensor(time), tf.float32)
        time = time[None] if time.shape.rank == 1 else time
        codes = list(motion_code) if isinstance(motion_code, list | tuple) else [motion_code]
        if bands is not None:
            bands = Bands(*bands).check()
        wanted = len(self.branches) if bands is None else len(bands.edges)
        if len(codes) not in (1, wanted):
            raise ValueError(
                f"expected 1 or {wanted} motion codes, one a "
                f"{'branch' if bands is None else 'band'}, received {len(codes)}"
            )
        styles = [self.motion_mapping(code) for code in codes]
        style = self.content_mapping(content_code)[:, None]  # (batch, 1, content_dim)
        for i, branch in enumerate(self.branches):
            if bands is None:
                own = [styles[min(i, len(styles) - 1)]]
            else:
                own = styles
            style = style + branch(time, own, bands=bands)
        return style


def frames_at_once(size: int) -> int:
    """How many frames a stage of a resolution computes in one go where it is computed anew."""
    return max(1, PIXELS_AT_ONCE // size**2)


def resolutions(size: int) -> list[int]:
    """4, 8, ... `size`."""
    return [2**i for i in range(2, int(math.log2(size)) + 1)]
