"""The synthesis network's first half by itself, as evaluation takes it."""

from __future__ import annotations

import tensorflow as tf

from hvp.models.base import VideoModel
from hvp.models.fusion.model import FusionModel


class PictureModel(VideoModel):
    """Predicts pictures from pictures: its videos are what `FusionModel.pictures` makes.

    Args:
        model: whose predictor it is.
    """

    def __init__(self, model: FusionModel) -> None:
        height, width = model.picture_size
        super().__init__(height=height, width=width, channels=model.channels, name="pictures")
        self.min_context = model.min_context
        self._steps = model.predicted_pictures  # not the model: its layers are no parts of this one

    def _rollout(
        self,
        context: tf.Tensor,
        horizon: int,
        num_samples: int,
        seeds: tf.Tensor,
        masks: tf.Tensor | None,
    ) -> tf.Tensor:
        window = context[:, -self.min_context :]
        steps = list(self._steps(window, horizon))
        return tf.concat(steps, axis=1)[:, :horizon][None]
