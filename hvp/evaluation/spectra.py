"""Energy by spatial and by temporal frequency, of truth, prediction and error.

A blurred prediction lacks the truth's energy at high spatial frequencies; one that has stopped
moving lacks it at high temporal ones.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from functools import partial

import numpy as np
import tensorflow as tf

from hvp.metrics.statistics import RunningMoments
from hvp.pixels import to_floats
from hvp.scratch import release

KINDS = ("truth", "prediction", "error")
VALUES_AT_ONCE = 2**20  # pixels; transforms take several times their memory
FRAMES_AT_ONCE = 512  # that are read
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

    def update(self, truth: np.ndarray | tf.Tensor, prediction: np.ndarray | tf.Tensor) -> None:
        """Adds videos `(batch, time, height, width, channels)`, float32 in [0, 1] or bytes.

        They may lie on disk: some frames, and some rows of all frames, are read at a time.
        """
        time, height, width = truth.shape[1:4]
        bins = radial_bins(height, width)
        self._frequencies = {
            "spatial": np.arange(bins.max() + 1) / min(height, width),
            "temporal": np.fft.rfftfreq(time),
        }
        membership = np.eye(bins.max() + 1, dtype=np.float32)[bins.ravel()]
        ways = {
            "spatial": (_frames(truth.shape), partial(_spatial, membership=membership), time),
            "temporal": (_rows(truth.shape), _temporal, height),
        }
        for domain, (places, energies, count) in ways.items():
            sums = {k: np.zeros((len(truth), len(self._frequencies[domain]))) for k in KINDS}
            for place in places:
                some = to_floats(truth[place])
                predicted = tf.clip_by_value(_read(prediction, place), 0.0, 1.0)
                videos = {"truth": some, "prediction": predicted, "error": predicted - some}
                for kind, video in videos.items():
                    sums[kind][place[0]] += energies(video).numpy()
            for kind, energy in sums.items():
                self._moments[domain][kind].update(energy / count)

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


def _frames(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Places of some frames at a time."""
    at_once = max(1, VALUES_AT_ONCE // (shape[0] * math.prod(shape[2:])))
    for first in range(0, shape[1], at_once):
        yield slice(None), slice(first, first + at_once)


def _rows(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Places of some rows of all frames at a time; of long videos one after the other."""
    batch, time, height, width, channels = shape
    row = time * width * channels
    examples = batch if batch * row <= VALUES_AT_ONCE else 1
    at_once = max(1, VALUES_AT_ONCE // (examples * row))
    for example in range(0, batch, examples):
        for first in range(0, height, at_once):
            yield slice(example, example + examples), slice(None), slice(first, first + at_once)


def _read(video: np.ndarray | tf.Tensor, place: tuple[slice, ...]) -> tf.Tensor:
    """A part of a video, which may lie on disk: then its pages are let go on the way."""
    examples, frames, *others = place
    time = range(video.shape[1])[frames]
    parts = []
    for first in range(time.start, time.stop, FRAMES_AT_ONCE):
        some = slice(first, min(first + FRAMES_AT_ONCE, time.stop))
        parts.append(tf.convert_to_tensor(video[(examples, some, *others)]))
        release(np.asarray(video))
    return tf.concat(parts, 1)


@tf.function(autograph=False)
def _spatial(video: tf.Tensor, membership: tf.Tensor) -> tf.Tensor:
    """Energy per radial bin, `(batch, bins)`, summed over frames."""
    height, width = video.shape[2:4]
    planes = tf.transpose(video, (0, 4, 1, 2, 3))  # (batch, channels, time, height, width)
    power = _power(tf.signal.rfft2d(planes), width) / (height * width) ** 2
    power = tf.reduce_sum(tf.reduce_mean(power, axis=1), axis=1)  # (batch, height, width // 2 + 1)
    return tf.reshape(power, (-1, membership.shape[0])) @ membership


@tf.function(autograph=False)
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
