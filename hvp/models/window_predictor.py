"""Deterministic predictors of as many frames as they see: training, and going on from there."""

from __future__ import annotations

import tensorflow as tf

from hvp.models.base import VideoModel

Terms = dict[str, tuple[float, tf.Tensor]]


class WindowPredictor(VideoModel):
    """A deterministic predictor of `settings.frames` frames from as many.

    A family makes its layers and implements `predict_window` and `loss_terms`.

    Args:
        seed: decides what training leaves out at random, where a family does that.
    """

    def make_layers(self) -> None:
        frames = self.settings.frames
        self.min_context, self.min_window, self.block = frames, 2 * frames, frames

    def predict_window(
        self, context: tf.Tensor, training: bool, seed: tf.Tensor | None
    ) -> tf.Tensor:
        """The `frames` that follow `context`, `(batch, frames, ...)`; the same shape, not clipped.

        Args:
            seed: shape `(2,)`, while training.
        """
        raise NotImplementedError

    def loss_terms(self, true: tf.Tensor, predicted: tf.Tensor) -> Terms:
        """Name -> weight and value of every term of the loss."""
        raise NotImplementedError

    def call(
        self, context: tf.Tensor, training: bool = False, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Predicts the next frames.

        Args:
            context: `(batch, frames, height, width, channels)`, float32 in [0, 1].

        Returns:
            The `frames` that follow, the shape of `context`, not clipped.
        """
        return tf.cast(self.predict_window(context, training, seed), tf.float32)

    def compute_objective(
        self, batch: tf.Tensor, seed: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The weighted losses of the prediction from the first half of `batch`'s windows.

        Args:
            batch: `(batch, time, ...)` with at least `2 * frames` frames; later ones are not used.
        """
        frames = self.settings.frames
        self.check_videos(batch, at_least=2 * frames)
        true = batch[:, frames : 2 * frames]
        predicted = self(batch[:, :frames], training=training, seed=seed)
        terms = self.loss_terms(true, predicted)
        total = tf.add_n([weight * value for weight, value in terms.values()])
        scalars = {"loss": total, **{f"loss/{name}": value for name, (_, value) in terms.items()}}
        scalars["mse"] = tf.reduce_mean(tf.square(true - tf.clip_by_value(predicted, 0.0, 1.0)))
        return total, scalars

    def _begin(
        self,
        context: tf.Tensor,
        count: int,
        num_samples: int,
        seeds: tf.Tensor,
        masks: tf.Tensor | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """From the last `frames` of `context`; past the trained horizon, clipped ones go back."""
        return self._continue(context[None, :, -self.settings.frames :], count)

    def _continue(self, state: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
        """The state is the window that is seen next, `(1, batch, frames, ...)`."""
        window, predictions = state[0], []
        for _ in range(-(-count // self.settings.frames)):
            predictions.append(self._predict(window))
            window = tf.clip_by_value(predictions[-1], 0.0, 1.0)
        return tf.concat(predictions, axis=1)[:, :count][None], window[None]

    @tf.function(autograph=False)
    def _predict(self, context: tf.Tensor) -> tf.Tensor:
        return self(context, training=False)
