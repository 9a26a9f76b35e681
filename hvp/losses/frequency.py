"""Losses on the spectra of videos: 3DFL (SDFNet) and WFL (DFDNet), and losses by name.

The papers transform time, height and width. The published code has channels before height in its
tensors and transforms the last three axes: channels, height and width. `axes` chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from hvp.losses.settings import check_losses

Axes = Literal["paper", "code"]
MASK_OFFSET = 1.5
MASK_STDDEV = (8.0, 12.0, 12.0)  # over time, height, width


def spectrum(videos: tf.Tensor, axes: Axes) -> tf.Tensor:
    """The complex spectrum of `(batch, time, height, width, channels)` over three axes.

    Returns:
        `(batch, channels, time, height, width)` for `paper`, transformed over the last three;
        `(batch, time, channels, height, width)` for `code`, the same.
    """
    order = (0, 4, 1, 2, 3) if axes == "paper" else (0, 1, 4, 2, 3)
    videos = tf.transpose(videos, order)
    return tf.signal.fft3d(tf.complex(videos, tf.zeros_like(videos)))


class _SpectralLoss(keras.losses.Loss):
    def __init__(self, axes: Axes = "paper", name: str | None = None):
        super().__init__(name=name)
        if axes not in ("paper", "code"):
            raise ValueError(f"axes must be 'paper' or 'code', received {axes!r}")
        self.axes = axes

    def get_config(self) -> dict:
        return {"axes": self.axes, "name": self.name}

    def __call__(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            raise ValueError(f"{type(self).__name__} takes no sample_weight")
        true, predicted = (tf.convert_to_tensor(y, tf.float32) for y in (y_true, y_pred))
        if true.shape.rank != 5 or true.shape != predicted.shape:
            raise ValueError(
                "expected two videos (batch, time, height, width, channels) of one shape, "
                f"received {true.shape} and {predicted.shape}"
            )
        return self.call(true, predicted)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(self.errors(y_true, y_pred))

    def errors(self, true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        """One for every frequency of every video, videos first; the loss is their mean."""
        raise NotImplementedError


class Frequency3D(_SpectralLoss):
    """3DFL of SDFNet: mean squared difference of (log) power spectra.

    Args:
        log: compare `log(1 + |F|**2)` instead of `|F|**2`.
        axes: `paper` (time, height, width) or `code` (channels, height, width).

    Example:
        >>> Frequency3D()(true, predicted)  # videos (batch, time, height, width, channels)
    """

    def __init__(self, log: bool = True, axes: Axes = "paper", name: str = "frequency_3d"):
        super().__init__(axes, name)
        self.log = log

    def get_config(self) -> dict:
        return {**super().get_config(), "log": self.log}

    def errors(self, true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        return tf.square(self._power(predicted) - self._power(true))

    def _power(self, videos: tf.Tensor) -> tf.Tensor:
        f = spectrum(videos, self.axes)
        power = tf.square(tf.math.real(f)) + tf.square(tf.math.imag(f))
        return tf.math.log1p(power) if self.log else power


class WeightedFrequency(_SpectralLoss):
    """WFL of DFDNet: mean of `|F_predicted - F_true|**2` with a weight per frequency.

    The weight is 1.5 minus a Gaussian around the middle of the (unshifted) spectrum, that is,
    around the highest frequencies.

    Args:
        axes: `paper` (time, height, width) or `code` (channels, height, width, the weight
            running over time instead of channels).
        shifted: the Gaussian lies around frequency 0, as if the spectrum had passed `fftshift`: low
            frequencies count less than high ones.
    """

    def __init__(
        self, axes: Axes = "paper", name: str = "weighted_frequency", shifted: bool = False
    ):
        super().__init__(axes, name)
        self.shifted = shifted

    def get_config(self) -> dict:
        return {**super().get_config(), "shifted": self.shifted}

    def errors(self, true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        # The transform is linear: one of the difference serves for both.
        f = spectrum(predicted - true, self.axes)
        power = tf.square(tf.math.real(f)) + tf.square(tf.math.imag(f))
        weight = frequency_weight(*true.shape[1:4])  # (time, height, width)
        if self.shifted:
            weight = np.fft.ifftshift(weight)
        if self.axes == "code":
            weight = weight[:, None]  # (time, 1, height, width)
        return power * weight


def frequency_weight(time: int, height: int, width: int) -> np.ndarray:
    """WFL's weight: float32 `(time, height, width)`, 0.5 in the middle, 1.5 far from it."""
    exponent = np.zeros((time, height, width))
    for axis, (size, stddev) in enumerate(zip((time, height, width), MASK_STDDEV, strict=True)):
        distance = (np.arange(size) - size // 2) / stddev
        shape = [1, 1, 1]
        shape[axis] = size
        exponent = exponent + (distance**2 / 2).reshape(shape)
    return (MASK_OFFSET - np.exp(-exponent)).astype(np.float32)


def weighted_losses(
    losses: Mapping[str, float], axes: Axes = "paper"
) -> dict[str, tuple[float, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]]]:
    """Losses by name with their weights, those of weight 0 left out.

    Each is a function of truth and prediction that gives the mean over this replica's batch.

    Args:
        losses: name -> weight; names are `hvp.losses.settings.LOSS_NAMES`.
        axes: of the spectral ones.
    """
    check_losses(losses)
    makers: dict[str, Callable[[], Callable[[tf.Tensor, tf.Tensor], tf.Tensor]]] = {
        "mse": lambda: _mean_of(keras.losses.mean_squared_error),
        "mae": lambda: _mean_of(keras.losses.mean_absolute_error),
        "frequency_3d": lambda: Frequency3D(log=True, axes=axes),
        "frequency_3d_linear": lambda: Frequency3D(log=False, axes=axes),
        "weighted_frequency": lambda: WeightedFrequency(axes=axes),
    }
    return {name: (weight, makers[name]()) for name, weight in losses.items() if weight}


def _mean_of(function: Callable) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    # Not Keras' loss object: under tf.distribute that divides by the number of replicas as well.
    return lambda true, predicted: tf.reduce_mean(function(true, predicted))
