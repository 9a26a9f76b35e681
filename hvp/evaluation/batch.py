"""One batch of an open-loop evaluation: scored a part of the horizon at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from hvp.evaluation.futures import SAMPLES_AT_ONCE
from hvp.evaluation.scorer import Scorer
from hvp.models.reconstruction import Reconstruction
from hvp.pixels import to_floats
from hvp.scratch import release, scratch_array

Scores = dict[str, np.ndarray]  # by metric


class BatchScores:
    """The scores of a batch, gathered part by part.

    Of frames, only these stay: of the first sample, for spectra and distances, and of all samples
    where a metric is of whole videos. Many of them lie on disk (`hvp.scratch`).

    Args:
        scorer: of all metrics.
        future: `(batch, horizon, height, width, channels)`, float32 in [0, 1] or bytes.
        num_samples: of each example.
        others: names of what is scored besides the samples.
    """

    def __init__(
        self, scorer: Scorer, future: np.ndarray, num_samples: int, others: list[str]
    ) -> None:
        self._scorer, self._future, self._names = scorer, future, others
        samples, compared = (num_samples, len(others)) if scorer.scores_videos else (1, 0)
        self._samples = scratch_array((samples, *future.shape), np.float32)
        self._others = scratch_array((compared, *future.shape), np.float32)
        self._parts: dict[int, list[Scores]] = {}  # of samples, by their first frame

    @property
    def first_sample(self) -> np.ndarray:
        """Of each example; the shape of `future`."""
        return self._samples[0]

    def add(
        self, start: int, place: int, predicted: tf.Tensor, others: Mapping[str, tf.Tensor]
    ) -> None:
        """Scores some samples of a part.

        Args:
            start: number of their first frame in the horizon.
            place: number of the first one among the samples.
            predicted: `(samples, batch, frames, height, width, channels)`.
            others: with the first samples, by name: `(batch, frames, ...)`, or one frame for all.
        """
        part = slice(start, start + predicted.shape[2])
        kept = self._samples[place : place + len(predicted), :, part]
        kept[:] = predicted[: len(kept)]
        for video, frames in zip(self._others, others.values(), strict=False):
            video[:, part] = frames
        release(self._samples, self._others)
        true = to_floats(self._future[:, part])
        scores = self._scorer.score_frames(true, predicted, [*others.values()])
        self._parts.setdefault(start, []).append(scores)

    def result(self) -> tuple[Scores, dict[str, Scores]]:
        """Metric -> scores of the samples, `(samples, batch, horizon)`, or with 1 in place of the
        horizon for one of videos; and metric -> name -> those of the others, `(batch, ...)`."""
        parts = [_joined(samples, 0) for samples in self._parts.values()]
        found = _joined(parts, 2)
        if self._scorer.scores_videos:
            found |= _joined(self._of_videos(), 0)
        count = len(self._names)
        others = {m: dict(zip(self._names, x, strict=False)) for m, x in found.items()}
        return {metric: scores[count:] for metric, scores in found.items()}, others

    def _of_videos(self) -> list[Scores]:
        future = to_floats(self._future)
        return [
            self._scorer.score_videos(
                future,
                self._samples[first : first + SAMPLES_AT_ONCE],
                () if first else [*self._others],
            )
            for first in range(0, len(self._samples), SAMPLES_AT_ONCE)
        ]


def _joined(parts: list[Scores], axis: int) -> Scores:
    return {metric: np.concatenate([p[metric] for p in parts], axis) for metric in parts[0]}


class Reconstructed:
    """The horizon of videos that a model with latents sees whole, read as it is needed.

    Args:
        parts: of `VideoModel.reconstruct_parts`, at least one.
        context: frames before the horizon.
        clip: whether frames are clipped to [0, 1].

    Attributes:
        kl: of each part so far, the levels' divergences.
    """

    def __init__(
        self, parts: Iterator[tuple[int, Reconstruction]], context: int, clip: bool
    ) -> None:
        self._parts, self._context, self._clip = parts, context, clip
        self._read: tf.Tensor | None = None  # and not taken
        self.kl: list[list[tf.Tensor]] = []

    def take(self, count: int) -> tf.Tensor:
        """The next `count` frames, `(batch, count, height, width, channels)`."""
        while self._read is None or self._read.shape[1] < count:
            first, found = next(self._parts)
            self.kl.append(found.kl)
            frames = found.frames[:, max(0, self._context - first) :]
            self._read = frames if self._read is None else tf.concat([self._read, frames], 1)
        frames, self._read = self._read[:, :count], self._read[:, count:]
        return tf.clip_by_value(frames, 0.0, 1.0) if self._clip else frames
