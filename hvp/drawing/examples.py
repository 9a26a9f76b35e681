"""The few examples that the figures show, gathered while the evaluation streams by."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from hvp.metrics.statistics import RunningMoments
from hvp.pixels import to_uint8
from hvp.scratch import release, scratch_array

FRAMES_AT_ONCE = 64  # that become bytes


@dataclasses.dataclass
class Example:
    """One example for the figures, 8 bit. Long ones lie on disk (`hvp.scratch`).

    Attributes:
        name: of the clip.
        truth: `(context + horizon, height, width, channels)`, uint8; fewer frames where the video
            ends before the predictions do.
        samples: `(shown samples, horizon, height, width, channels)`, uint8.
        stddev: `(horizon, height, width)`, float32, over all N samples, averaged over channels, in
            [0, 1]; `None` for a single sample.
    """

    name: str
    truth: np.ndarray
    samples: np.ndarray
    stddev: np.ndarray | None

    def release(self) -> None:
        """Lets go of the memory that what lies on disk takes."""
        release(self.truth, self.samples, *([] if self.stddev is None else [self.stddev]))


class Gallery:
    """Collects the examples of one batch, part by part of the horizon.

    Args:
        video: `(examples, time, height, width, channels)`, context and what there is of the truth,
            in [0, 1] or as bytes; possibly none of them.
        names: of the clips.
        gallery_samples: samples to keep of each, the first ones.
        num_samples: that differ; of a single one no spread is gathered.
        horizon: frames that are predicted.
    """

    def __init__(
        self,
        video: np.ndarray | tf.Tensor,
        names: list[str],
        gallery_samples: int,
        num_samples: int,
        horizon: int,
    ) -> None:
        self._names, self._num_samples = names, num_samples
        self._truth = as_bytes(video)
        count, _, *frame = self._truth.shape
        kept = min(gallery_samples, num_samples)
        self._samples = scratch_array((kept, count, horizon, *frame), np.uint8)
        self._stddev: np.ndarray | None = None
        if num_samples > 1:
            self._stddev = scratch_array((count, horizon, *frame[:2]), np.float32)
        self._come, self._moments = 0, RunningMoments()  # of the samples of a part

    def add(self, predicted: tf.Tensor, first: int = 0) -> None:
        """Takes further samples of a part, `(samples, batch, frames, height, width, channels)`.

        All samples of a part come before the next part does.

        Args:
            first: number of the part's first frame in the horizon.
        """
        if len(self._truth) == 0:
            return
        frames = tf.clip_by_value(predicted[:, : len(self._truth)], 0.0, 1.0).numpy()
        part = slice(first, first + frames.shape[2])
        kept = self._samples[self._come : self._come + len(frames), :, part]
        kept[:] = to_uint8(frames[: len(kept)])
        self._come += len(frames)
        if self._stddev is not None:
            self._moments.update(frames)
        if self._come >= self._num_samples:
            if self._stddev is not None:
                self._stddev[:, part] = self._moments.stddev().mean(-1)
            self._come, self._moments = 0, RunningMoments()
            release(self._samples, *([] if self._stddev is None else [self._stddev]))

    def examples(self) -> list[Example]:
        """What was gathered, one `Example` for each; before the last part it is black there."""
        return [
            Example(
                self._names[i],
                truth,
                self._samples[:, i],
                None if self._stddev is None else self._stddev[i],
            )
            for i, truth in enumerate(self._truth)
        ]


def as_bytes(video: np.ndarray | tf.Tensor) -> np.ndarray:
    """Videos `(examples, time, ...)` in [0, 1], or as bytes, as bytes; long ones on disk."""
    if video.dtype == np.uint8:
        return np.asarray(video)
    kept = scratch_array(tuple(video.shape), np.uint8)
    for first in range(0, kept.shape[1], FRAMES_AT_ONCE):
        some = slice(first, first + FRAMES_AT_ONCE)
        kept[:, some] = to_uint8(video[:, some])
    release(kept)
    return kept
