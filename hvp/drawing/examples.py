"""The few examples that the figures show, gathered while the evaluation streams by."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from hvp.metrics.statistics import RunningMoments
from hvp.pixels import to_uint8


@dataclasses.dataclass
class Example:
    """One example for the figures, 8 bit.

    Attributes:
        name: of the clip.
        truth: `(context + horizon, height, width, channels)`, uint8; fewer frames where the video
            ends before the predictions do.
        samples: `(shown samples, horizon, height, width, channels)`, uint8.
        stddev: `(horizon, height, width)`, over all N samples, averaged over channels, in [0, 1];
            `None` for a single sample.
    """

    name: str
    truth: np.ndarray
    samples: np.ndarray
    stddev: np.ndarray | None


class Gallery:
    """Collects the examples of one batch.

    Args:
        video: `(examples, time, height, width, channels)`, context and what there is of the truth;
            possibly none of them.
        names: of the clips.
        gallery_samples: samples to keep of each, the first ones.
        num_samples: that come; of a single one no spread is gathered, which takes most memory.
    """

    def __init__(
        self, video: tf.Tensor, names: list[str], gallery_samples: int, num_samples: int
    ) -> None:
        self._names, self._gallery_samples = names, gallery_samples
        self._truth = to_uint8(video)
        self._shown: list[np.ndarray] = []  # each (samples, examples, horizon, H, W, C)
        self._moments = RunningMoments() if num_samples > 1 else None

    def add(self, predicted: tf.Tensor) -> None:
        """Takes further samples, `(samples, batch, horizon, height, width, channels)`."""
        if len(self._truth) == 0:
            return
        frames = tf.clip_by_value(predicted[:, : len(self._truth)], 0.0, 1.0).numpy()
        if self._moments is not None:
            self._moments.update(frames)
        left = self._gallery_samples - sum(map(len, self._shown))
        if left > 0:
            self._shown.append(to_uint8(frames[:left]))

    def examples(self) -> list[Example]:
        """What was gathered, one `Example` for each."""
        if len(self._truth) == 0:
            return []
        shown = np.concatenate(self._shown)
        moments, spread = self._moments, None
        if moments is not None and moments.count > 1:
            spread = moments.stddev().mean(-1)
        return [
            Example(self._names[i], truth, shown[:, i], None if spread is None else spread[i])
            for i, truth in enumerate(self._truth)
        ]
