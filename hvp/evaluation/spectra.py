"""Energy by spatial and by temporal frequency, of truth, prediction and error.

A blurred prediction lacks the truth's energy at high spatial frequencies; one that has stopped
moving lacks it at high temporal ones.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from hvp.metrics.statistics import RunningMoments

KINDS = ("truth", "prediction", "error")
# Transforms take several times the memory of videos: so many frames at once, and parts of a frame.
FRAMES_AT_ONCE = 512
PARTS = 8
HIGH_FREQUENCIES = 0.25  # cycles per pixel and above; 0.5 is the highest along an axis


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """Mean energy by frequency along one domain.

    Attributes:
        frequency: `(bins,)`, centres of the bins in cycles per pixel or per frame.
        energy: kind (`truth`, `prediction`, `error`) -> `(bins,)`; the sum over bins is the mean
            square of the pixels (for `error`: the MSE).
    """

    frequency: np.ndarray
    energy: dict[str, np.ndarray]


class SpectralTally:
    """Gathers spectra batch by batch; memory is a few curves."""

    def __init__(self) -> None:
        self._moments = {
            domain: {kind: RunningMoments() for kind in KINDS} for domain in ("spatial", "temporal")
        }
        self._frequencies: dict[str, np.ndarray] = {}

    def update(self, truth: tf.Tensor, prediction: tf.Tensor) -> None:
        """Adds videos `(batch, time, height, width, channels)`, float32 in [0, 1]."""
        time, height, width = truth.shape[1:4]
        bins = radial_bins(height, width)
        self._frequencies = {
            "spatial": np.arange(bins.max() + 1) / min(height, width),
            "temporal": np.fft.rfftfreq(time),
        }
        membership = np.eye(bins.max() + 1, dtype=np.float32)[bins.ravel()]
        prediction = tf.clip_by_value(prediction, 0.0, 1.0)
        videos = {"truth": truth, "prediction": prediction, "error": prediction - truth}
        for kind, video in videos.items():
            spatial, temporal = _energies(video, tf.constant(membership))
            self._moments["spatial"][kind].update(spatial.numpy())
            self._moments["temporal"][kind].update(temporal.numpy())

    def spectra(self) -> dict[str, Spectrum]:
        """Domain (`spatial`, `temporal`) -> `Spectrum`, means over all videos so far."""
        return {
            domain: Spectrum(
                self._frequencies[domain], {kind: m.mean for kind, m in moments.items()}
            )
            for domain, moments in self._moments.items()
        }


def radial_bins(height: int, width: int) -> np.ndarray:
    """Bin number of each entry of an `rfft2` of a frame; bins are 1 / shorter side wide."""
    vertical, horizontal = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    radii = np.sqrt(vertical**2 + horizontal**2)  # (height, width // 2 + 1)
    return np.rint(radii * min(height, width)).astype(int)


@tf.function(autograph=False)
def _energies(video: tf.Tensor, membership: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Energy per radial bin `(batch, bins)` and per temporal frequency `(batch, time // 2 + 1)`."""
    time, height = video.shape[1:3]
    parts = [_spatial(video[:, t : t + FRAMES_AT_ONCE]) for t in range(0, time, FRAMES_AT_ONCE)]
    spatial = tf.reshape(tf.add_n(parts) / time, (-1, membership.shape[0])) @ membership
    rows = -(-height // PARTS)
    temporal = [_temporal(video[:, :, row : row + rows]) for row in range(0, height, rows)]
    return spatial, tf.add_n(temporal) / height


def _spatial(video: tf.Tensor) -> tf.Tensor:
    """Power of every frequency, `(batch, height, width // 2 + 1)`, summed over frames."""
    height, width = video.shape[2:4]
    planes = tf.transpose(video, (0, 4, 1, 2, 3))  # (batch, channels, time, height, width)
    power = _power(tf.signal.rfft2d(planes), width) / (height * width) ** 2
    return tf.reduce_sum(tf.reduce_mean(power, axis=1), axis=1)


def _temporal(lines: tf.Tensor) -> tf.Tensor:
    """Of rows of pixels, `(batch, time, rows, width, channels)`: means, summed over rows."""
    time = lines.shape[1]
    power = _power(tf.signal.rfft(tf.transpose(lines, (0, 2, 4, 3, 1))), time) / time**2
    return tf.reduce_sum(tf.reduce_mean(power, axis=(2, 3)), axis=1)


def _power(half: tf.Tensor, length: int) -> tf.Tensor:
    """Squared magnitude, with the frequencies that a real transform leaves out counted in."""
    count = length // 2 + 1
    twice = np.full(count, 2.0, np.float32)
    twice[0] = 1
    if length % 2 == 0:
        twice[-1] = 1
    return (tf.square(tf.math.real(half)) + tf.square(tf.math.imag(half))) * twice
