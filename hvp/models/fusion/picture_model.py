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
        self.min_context, self.block = model.min_context, model.block
        self._steps = model.predicted_pictures  # not the model: its layers are no parts of this one

    def _begin(
        self,
        context: tf.Tensor,
        count: int,
        num_samples: int,
        seeds: tf.Tensor,
        masks: tf.Tensor | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._continue(context[None, :, -self.min_context :], count)

    def _continue(self, state: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
        """The state is the window that is seen next, `(1, batch, frames, ...)`."""
        pictures, windows = zip(*self._steps(state[0], count), strict=True)
        return tf.concat(pictures, axis=1)[:, :count][None], windows[-1][None]
