"""What a model's latents say of a video, and where its predictions lose quality."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from hvp.metrics.statistics import RunningMoments

ACTIVE = 0.01  # nats per tick: a latent dimension below carries nothing
UNUSED = 1.0  # nats per video: a level below carries next to nothing


@dataclasses.dataclass(frozen=True)
class LevelUse:
    """How a level's latents are used, as means over all contexts.

    Attributes:
        nats: KL(posterior || prior) of a whole video.
        active: dimensions whose KL is above `ACTIVE` nats per tick.
        dimensions: all there are.
        ticks: of a video.
    """

    nats: float
    active: int
    dimensions: int
    ticks: int


class LatentTally:
    """Gathers each level's KL batch by batch; memory is a row a level."""

    def __init__(self) -> None:
        self._levels: list[RunningMoments] = []
        self._ticks: list[int] = []

    def update(self, kl: Sequence[tf.Tensor]) -> None:
        """Adds one array a level, `(batch, ticks, dimensions)`, in nats."""
        if not self._levels:
            self._levels = [RunningMoments() for _ in kl]
            self._ticks = [int(level.shape[1]) for level in kl]
        for moments, level in zip(self._levels, kl, strict=True):
            moments.update(np.asarray(level, np.float64).sum(1))

    def levels(self) -> list[LevelUse]:
        """Of all batches so far, level 0 first; none of a model without latents."""
        return [
            LevelUse(
                nats=float(moments.mean.sum()),
                active=int((moments.mean / ticks > ACTIVE).sum()),
                dimensions=len(moments.mean),
                ticks=ticks,
            )
            for moments, ticks in zip(self._levels, self._ticks, strict=True)
        ]


def quality_loss(
    summary: Mapping[str, Mapping[str, Mapping[str, float | None]]],
    levels: Sequence[Mapping[str, Any]],
) -> list[str]:
    """Sentences on where a prediction's error comes from.

    Args:
        summary: of metrics.json.
        levels: `LevelUse`s as plain values.
    """
    sentences = []
    if mse := summary.get("mse"):
        lost, of = mse["reconstruction"]["mean"], mse["mean_over_samples"]["mean"]
        if lost is not None and of:
            sentences.append(
                f"With every frame seen, the error (MSE) is {min(lost / of, 1):.0%} of the "
                "prediction's: so much is lost in encoding and decoding, the rest in predicting."
            )
    for number, level in enumerate(levels):
        if level["nats"] < UNUSED:
            which = f"Level {number} is" if len(levels) > 1 else "The latents are"
            sentences.append(
                f"{which} unused: {level['nats']:.2g} nats a video, so what is drawn there says "
                "next to nothing of it. Fewer latents would do as well; a lower weight of the KL "
                "divergence (model.beta) may bring them to use."
            )
    return sentences
