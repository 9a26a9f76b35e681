"""What SDFNet and DFDNet share: encoder, temporal module per stage, decoder, losses, rollout."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from hvp.layers.spatial import SpatialDecoder, SpatialEncoder, fold_time, unfold_time
from hvp.losses import weighted_losses
from hvp.models.base import VideoModel

STAGES = 4
SPATIAL_STRIDE = 4  # of all stages together


class FrequencyPredictor(VideoModel):
    """A deterministic predictor of as many frames as it sees.

    A family sets `config_class` and `activation` and implements `temporal_module(stages)`.

    Args:
        height, width: divisible by 4.
        channels: 1 or 3.
        seed: not used, as nothing is random; kept for the contract.
        **settings: the keys of the family's config dataclass.
    """

    pytorch_epsilon = True
    activation: Callable[[tf.Tensor], tf.Tensor]

    def make_layers(self) -> None:
        if self.height % SPATIAL_STRIDE or self.width % SPATIAL_STRIDE:
            raise ValueError(
                f"height and width must be divisible by {SPATIAL_STRIDE}, received {self.height}, "
                f"{self.width}"
            )
        s, activation = self.settings, type(self).activation
        self.min_context, self.min_window = s.frames, 2 * s.frames
        self.loss_terms = weighted_losses(s.losses, s.loss_axes)
        self.encoder = SpatialEncoder(s.hidden, s.kernel_sizes, activation, name="encoder")
        self.decoder = SpatialDecoder(
            s.hidden, s.kernel_sizes, activation, self.channels, name="decoder"
        )
        self.make_temporal_module()

    def make_temporal_module(self) -> None:
        """Makes the family's layers between encoder and decoder."""
        raise NotImplementedError

    def temporal_module(self, stages: list[tf.Tensor], training: bool) -> list[tf.Tensor]:
        """Processes every stage, `(batch, h, w, frames * hidden)`; same shapes out."""
        raise NotImplementedError

    def call(self, context: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Predicts the next frames.

        Args:
            context: `(batch, frames, height, width, channels)`, float32 in [0, 1].

        Returns:
            The `frames` that follow, the shape of `context`, not clipped.
        """
        frames = self.settings.frames
        images = tf.reshape(context, (-1, self.height, self.width, self.channels))
        stages = [fold_time(stage, frames) for stage in self.encoder(images)]
        stages = self.temporal_module(stages, training)
        images = self.decoder([unfold_time(stage, frames) for stage in stages])
        shape = (-1, frames, self.height, self.width, self.channels)
        return tf.cast(tf.reshape(images, shape), tf.float32)

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
        predicted = self(batch[:, :frames], training=training)
        terms = {name: loss(true, predicted) for name, (_, loss) in self.loss_terms.items()}
        total = tf.add_n([weight * terms[name] for name, (weight, _) in self.loss_terms.items()])
        scalars = {"loss": total, **{f"loss/{name}": term for name, term in terms.items()}}
        scalars["mse"] = tf.reduce_mean(tf.square(true - tf.clip_by_value(predicted, 0.0, 1.0)))
        return total, scalars

    def _rollout(
        self,
        context: tf.Tensor,
        horizon: int,
        num_samples: int,
        seeds: tf.Tensor,
        masks: tf.Tensor | None,
    ) -> tf.Tensor:
        """From the last `frames` of `context`; past the trained horizon, clipped ones go back."""
        window, predictions = context[:, -self.settings.frames :], []
        for _ in range(-(-horizon // self.settings.frames)):
            predictions.append(self._predict(window))
            window = tf.clip_by_value(predictions[-1], 0.0, 1.0)
        return tf.concat(predictions, axis=1)[:, :horizon][None]

    @tf.function
    def _predict(self, context: tf.Tensor) -> tf.Tensor:
        return self(context, training=False)
