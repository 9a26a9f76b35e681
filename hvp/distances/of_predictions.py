"""FVD of a predictor's futures, gathered while it is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from hvp.distances.distance import record_of
from hvp.distances.embedding import Embedding
from hvp.distances.frechet import FeatureStatistics
from hvp.distances.protocols import MIN_FRAMES, VideoProtocol, check_frames
from hvp.distances.sets import compare_sets
from hvp.pixels import to_uint8


class PredictionDistance:
    """FVD between true videos and predicted ones, one clip a context.

    Args:
        network: the embedding.
        context, horizon: frames shown and frames predicted.
        where: `in` compares whole videos, whose context frames are the same in both sets; `out`
            the predicted frames alone. The two are different measures: the name states which.
        min_frames: that the network needs.

    Raises:
        UserError: if the clips are too short for the network.

    Example:
        >>> distance = PredictionDistance(network, context=10, horizon=20, where="out")
        >>> evaluate(model, batches, settings, distance=distance)
        >>> distance.record({})["value"]
    """

    def __init__(
        self,
        network: Embedding,
        context: int,
        horizon: int,
        where: Literal["in", "out"],
        min_frames: int = MIN_FRAMES,
    ) -> None:
        self.network, self.context, self.horizon, self.where = network, context, horizon, where
        check_frames(self.num_frames, min_frames)
        self._real: list[np.ndarray] = []
        self._fake: list[np.ndarray] = []

    @property
    def num_frames(self) -> int:
        """Frames of a clip."""
        return self.horizon + (self.context if self.where == "in" else 0)

    def update(
        self,
        context: np.ndarray | tf.Tensor,
        future: np.ndarray | tf.Tensor,
        predicted: np.ndarray | tf.Tensor,
    ) -> None:
        """Adds a batch: `(batch, time, height, width, channels)` each, float in [0, 1]."""
        self._real.append(self._embedded(context, future))
        self._fake.append(self._embedded(context, predicted))

    def record(self, about: Mapping[str, Any]) -> dict[str, Any]:
        """The distances and all that decides them; see `hvp.distances.distance.measure`.

        Raises:
            ValueError: after fewer than two videos.
        """
        real, fake = np.concatenate(self._real), np.concatenate(self._fake)
        protocol = VideoProtocol(len(real), self.num_frames, context=(self.where, self.context))
        clips = "one a context: the truth, and the first sample, not chosen"
        statistics = FeatureStatistics.of(real), FeatureStatistics.of(fake)
        record = record_of(protocol, self.network, *statistics, {"clips": clips, **about})
        return record | compare_sets(real, fake)

    def _embedded(
        self, context: np.ndarray | tf.Tensor, frames: np.ndarray | tf.Tensor
    ) -> np.ndarray:
        clips = np.asarray(frames)
        if self.where == "in":
            clips = np.concatenate([np.asarray(context), clips], 1)
        return self.network.embed(to_uint8(clips))
