"""Motion as sinusoids of learned frequencies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from hvp.models.motion_gan.bands import Bands
from hvp.models.motion_gan.layers import EqualDense, ModulatedConvolution, leaky_relu


def time_grid(num_frames: int, start: float = -1.0, stop: float = 1.0) -> np.ndarray:
    """Times of `num_frames` frames over `[start, stop)`, float32; the training clip is -1 to 1."""
    return np.linspace(start, stop, num_frames + 1, dtype=np.float32)[:-1]


class FourierFeatures(layers.Layer):
    """sin(W t + b) with learned frequencies W, as many of them negative as positive.

    Args:
        units: number of sinusoids.
        low, high: range of the initial |W|, in radians a unit of time.

    Maps times `(...)` to `(..., units)`, in float32 always: neighbouring frames of long videos
    have one time in fewer bits.
    """

    def __init__(self, units: int, low: float, high: float, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.units, self.low, self.high = units, low, high

    def build(self, shape: tuple[int | None, ...]) -> None:
        def frequencies(shape: tuple[int, ...], dtype: str | None = None) -> tf.Tensor:
            values = keras.random.uniform(shape, self.low, self.high, dtype=dtype)
            signs = np.where(np.arange(shape[0]) < shape[0] // 2, 1.0, -1.0)
            return values * signs

        self.frequencies = self.add_weight(
            shape=(self.units,), initializer=frequencies, name="frequencies"
        )
        self.phases = self.add_weight(
            shape=(self.units,),
            initializer=keras.initializers.RandomUniform(-1.0, 1.0),
            name="phases",
        )
        self.built = True

    def call(self, time: tf.Tensor) -> tf.Tensor:
        return tf.sin(time[..., None] * self.frequencies + self.phases)

    def masks(self, bands: Bands) -> tf.Tensor:
        """`(bands, units)`: 1 where a unit's |W| lies in the band, else 0."""
        magnitude = tf.abs(tf.convert_to_tensor(self.frequencies))
        edges = tf.constant([min(edge, 1e30) for edge in bands.edges])
        if bands.relative:
            # The highest frequency itself belongs to the last band.
            edges = (
                edges
                * tf.reduce_max(magnitude)
                * tf.constant([1.0] * (len(bands.edges) - 1) + [1.0 + 1e-6])
            )
        below = tf.cast(magnitude < edges[:, None], tf.float32)
        return below - tf.pad(below, ((1, 0), (0, 0)))[:-1]


class MotionBranch(layers.Layer):
    """One range of frequencies: sinusoids, weighted by the motion style, to a change of style.

    Args:
        units: sinusoids.
        outputs: size of the content code.
        low, high: range of the initial frequencies.
    """

    def __init__(self, units: int, outputs: int, low: float, high: float, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.features = FourierFeatures(units, low, high, name="features")
        self.modulated = ModulatedConvolution(
            units, 1, demodulate=False, dtype="float32", name="modulated"
        )
        self.project = EqualDense(outputs, dtype="float32", name="project")
        self.units = units

    def build(self, time_shape: tuple, style_shape: tuple) -> None:
        self.features.build(time_shape)
        self.modulated.build((None, 1, 1, self.units), style_shape)
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        self.project.build((None, self.units))
        self.built = True

    def call(
        self, time: tf.Tensor, styles: Sequence[tf.Tensor], bands: Bands | None = None
    ) -> tf.Tensor:
        """The branch's part of the style.

        Args:
            time: `(batch or 1, frames)`.
            styles: mapped motion codes `(batch, dim)`: one, or one a band.
            bands: ranges to keep or to move by styles of their own.

        Returns:
            `(batch, frames, outputs)`.
        """
        features = self.features(time)  # (batch or 1, frames, units)
        scales = [self.modulated.modulation(style) for style in styles]  # (batch, units)
        if bands is not None:
            masks = self.features.masks(bands)
            if len(scales) > 1:
                scales = [s * mask for s, mask in zip(scales, tf.unstack(masks), strict=True)]
                scales = [tf.add_n(scales)]
            if bands.keep is not None:
                chosen = tf.constant(sorted(set(bands.keep)), tf.int32)
                kept = tf.reduce_sum(tf.gather(masks, chosen), axis=0)
                features = features * kept
        kernel = self.modulated.kernel[0, 0] * self.modulated.scale
        x = tf.matmul(features * scales[0][:, None], kernel)
        return self.project(leaky_relu(x + self.bias))


def frequency_ranges(frequencies: Sequence[float]) -> list[tuple[float, float]]:
    """Each branch's range: from the previous upper end, or from 0 if that is the same."""
    ranges, previous = [], 0.0
    for high in frequencies:
        ranges.append((0.0 if math.isclose(high, previous) else previous, float(high)))
        previous = high
    return ranges
