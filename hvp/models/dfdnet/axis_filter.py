"""DFDNet's frequency filter along one axis, within DFDU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import initializers, layers

from hvp.layers import compiled
from hvp.layers.custom_gradients import custom_gradient
from hvp.layers.initial_values import pytorch_values
from hvp.layers.shared import kept
from hvp.models.dfdnet.config import Filter

# Around a threshold, in units of magnitude: how far a learned one feels the bins beside it. The
# initial thresholds' standard deviation.
LEARNING_WIDTH = 1.0
# Values of a sequence, from which on its transforms take so little beside the product that follows
# that gradients compute them anew.
LONG = 1024


class AxisFilter(layers.Layer):
    """Filters the spectrum along one of two axes, then predicts by a dense layer.

    Each channel segment of each line along the axis becomes one sequence. Its low frequencies pass;
    a higher one passes if its magnitude reaches the threshold of the sequence. Half of the filtered
    sequence predicts what is to be added to it.

    Maps `(batch, height, width, channels)` to predictions of the same shape.

    Args:
        axis: 1 filters along the height, 2 along the width.
        segments: channel segments.
        low_frequencies: share of bins that pass unfiltered.
        kind: `fixed`, as published: the comparison is hard, so no gradient reaches the thresholds
            and their random initial values (of standard deviation 1) are final. `learned`, as the
            paper says (ours): the same comparison, whose gradient is that of a sigmoid
            `LEARNING_WIDTH` wide (straight-through), to the thresholds alone. `none`: all pass.
    """

    def __init__(
        self, axis: int, segments: int, low_frequencies: float, kind: Filter = "fixed", **kwargs
    ):
        super().__init__(**kwargs)
        self.axis, self.segments, self.low_frequencies = axis, segments, low_frequencies
        self.kind = kind
        # Of (batch, height, width, segments, size) to (batch, other axis, segments, axis, size).
        self.order = (0, 2, 3, 1, 4) if axis == 1 else (0, 1, 3, 2, 4)
        self.back = (0, 3, 1, 2, 4) if axis == 1 else self.order

    def build(self, shape: tuple[Any, ...]) -> None:
        channels, along, across = shape[-1], shape[self.axis], shape[3 - self.axis]
        columns = along * channels // self.segments
        self.passing = int(self.low_frequencies * columns + 1)
        self.keep = kept if columns < LONG else tf.identity
        if self.kind != "none":
            self.threshold = self.add_weight(
                shape=(1, across * self.segments),
                initializer=initializers.RandomNormal(stddev=1.0),
                autocast=False,  # compared with a float32 spectrum
                name="threshold",
            )
        self.predict = layers.Dense(columns, use_bias=False, name="predict", **pytorch_values())
        self.predict.build((None, None, columns // 2))
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        *_, height, width, channels = x.shape
        size = channels // self.segments
        split = tf.reshape(x, (-1, height, width, self.segments, size))
        lines = tf.transpose(split, self.order)
        ordered = lines.shape[1:]
        lines = tf.reshape(lines, (-1, ordered[0] * ordered[1], ordered[2] * size))
        half = _halve(lines) if self.kind == "none" else self._filter(tf.cast(lines, tf.float32))
        predicted = self.predict(tf.cast(self.keep(half), lines.dtype))
        predicted = tf.transpose(tf.reshape(predicted, (-1, *ordered)), self.back)
        return tf.reshape(predicted, tf.shape(x))

    def _filter(self, lines: tf.Tensor) -> tf.Tensor:
        """Half of the filtered sequences, `(batch, lines, columns // 2)`."""
        if self.kind == "fixed" and lines.shape[-1] % 2 == 0:
            return _masked_half(lines, *self._thresholds(lines.shape[-1] // 2 + 1), self.keep)
        spectrum = tf.signal.rfft(lines)  # (batch, lines, columns // 2 + 1)
        mask = self.mask(spectrum)
        # Not a cast, whose gradient TensorFlow warns of.
        passed = spectrum * tf.complex(mask, tf.zeros_like(mask))
        return _halve(tf.signal.irfft(passed, fft_length=[lines.shape[-1]]))

    def mask(self, spectrum: tf.Tensor) -> tf.Tensor:
        """1 where a bin of the spectra `(batch, lines, bins)` passes, else 0; float32."""
        magnitude = _magnitude(spectrum)
        low, own = self._thresholds(magnitude.shape[-1])
        thresholds = tf.where(low, 0.0, own)
        kept = tf.cast(magnitude >= thresholds, tf.float32)
        if self.kind == "learned":
            above = magnitude - thresholds
            soft = tf.sigmoid(above / LEARNING_WIDTH)
            kept += soft - tf.stop_gradient(soft)
        return kept

    def _thresholds(self, bins: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Which bins all pass, `(bins,)`, and the threshold of the others, `(1, lines, 1)`."""
        own = tf.convert_to_tensor(self.threshold, tf.float32)
        if self.axis == 2:
            # As the original orders them: along its first axis, the width, segments come first.
            own = tf.reshape(own, (self.segments, -1))
            own = tf.reshape(tf.transpose(own), (1, -1))
        return tf.range(bins) < self.passing, own[:, :, None]


def _magnitude(spectrum: tf.Tensor) -> tf.Tensor:
    power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    return tf.stop_gradient(tf.sqrt(power))


def _halve(x: tf.Tensor) -> tf.Tensor:
    """Nearest-neighbour resize of the last axis to half."""
    columns = x.shape[-1]
    if columns % 2 == 0:
        return x[..., ::2]
    half = columns // 2
    return tf.gather(x, [i * columns // half for i in range(half)], axis=-1)


def _masked_half(
    lines: tf.Tensor,
    low: tf.Tensor,
    thresholds: tf.Tensor,
    keep: Callable[[tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Every second value of `lines` after its spectrum was masked; no gradient reaches the mask.

    Only what is wanted is transformed back: leaving out every second value adds the upper half of
    a spectrum to the lower one. Filtering is symmetric, so the gradient filters by the same mask,
    which is all that is remembered.

    Args:
        lines: `(batch, lines, columns)`, an even number of columns.
        low, thresholds: of `AxisFilter._thresholds`.
        keep: of the mask, what need not be computed anew for the gradient.
    """
    columns = lines.shape[-1]
    spectrum = tf.signal.rfft(tf.stop_gradient(lines))
    thresholds = tf.stop_gradient(thresholds)
    mask, folded = map(tf.stop_gradient, _fold(spectrum, low, thresholds))
    mask = keep(mask)

    @custom_gradient
    def forward(lines: tf.Tensor) -> tuple[tf.Tensor, object]:
        del lines  # as its spectrum

        def gradient(dy: tf.Tensor) -> tf.Tensor:
            return tf.signal.irfft(_unfold(tf.signal.rfft(dy), mask), fft_length=[columns])

        return tf.signal.irfft(folded, fft_length=[columns // 2]), gradient

    return forward(lines)


@compiled.without_gradient
def _fold(
    spectrum: tf.Tensor, low: tf.Tensor, thresholds: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Where a spectrum passes, and the spectrum of half as many values of what passes."""
    mask = _magnitude(spectrum) >= tf.where(low, 0.0, thresholds)
    passed = _only_where(mask, spectrum)
    half = spectrum.shape[-1] - 1
    bins = half // 2 + 1
    upper = tf.math.conj(tf.reverse(passed[..., half - bins + 1 :], (-1,)))
    return mask, 0.5 * (passed[..., :bins] + upper)


@compiled.without_gradient
def _unfold(lower: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The masked spectrum of values with gaps between them: their own, and once more."""
    half = mask.shape[-1] - 1
    upper = tf.math.conj(tf.reverse(lower[..., : half - lower.shape[-1] + 1], (-1,)))
    return _only_where(mask, tf.concat([lower, upper], axis=-1))


def _only_where(mask: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """`x` with zeros where the mask is false."""
    # `tf.where`, which broadcasts, takes four times as long on a CPU.
    return tf.raw_ops.Select(condition=mask, x=x, y=tf.zeros_like(x))
