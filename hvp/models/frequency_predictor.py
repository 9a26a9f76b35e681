"""What SDFNet and DFDNet share: encoder, temporal module per stage, decoder, losses, rollout."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from hvp.layers.spatial import SpatialDecoder, SpatialEncoder, fold_time, unfold_time
from hvp.losses import weighted_losses
from hvp.models.base import Seed, VideoModel

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
    config_class: type
    activation: Callable[[tf.Tensor], tf.Tensor]

    def __init__(
        self,
        *,
        height: int = 64,
        width: int = 64,
        channels: int = 1,
        seed: int = 0,
        name: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(height=height, width=width, channels=channels, seed=seed, name=name)
        if height % SPATIAL_STRIDE or width % SPATIAL_STRIDE:
            raise ValueError(
                f"height and width must be divisible by {SPATIAL_STRIDE}, received {height}, "
                f"{width}"
            )
        self.settings = s = self.config_class(**settings)
        self.min_context, self.min_window = s.frames, 2 * s.frames
        self.loss_terms = weighted_losses(s.losses, s.loss_axes)
        activation = type(self).activation
        self.encoder = SpatialEncoder(s.hidden, s.kernel_sizes, activation, name="encoder")
        self.decoder = SpatialDecoder(
            s.hidden, s.kernel_sizes, activation, channels, name="decoder"
        )
        self.make_temporal_module()
        self.build()

    def make_temporal_module(self) -> None:
        """Makes the family's layers between encoder and decoder."""
        raise NotImplementedError

    def temporal_module(self, stages: list[tf.Tensor], training: bool) -> list[tf.Tensor]:
        """Processes every stage, `(batch, h, w, frames * hidden)`; same shapes out."""
        raise NotImplementedError

    def build(self, input_shape: Any = None) -> None:
        """Makes all variables by tracing the network once."""
        if self.built:
            return
        shape = (1, self.settings.frames, self.height, self.width, self.channels)
        keras.Layer.compute_output_spec(self, keras.KerasTensor(shape))
        self.built = True

    def get_config(self) -> dict[str, Any]:
        settings = dataclasses.asdict(self.settings)
        del settings["family"]
        return {**super().get_config(), **settings}

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

    def rollout(
        self,
        context: tf.Tensor,
        horizon: int,
        num_samples: int = 1,
        seed: Seed = None,
        clip: bool = True,
    ) -> tf.Tensor:
        """Predicts `horizon` frames from the last `frames` of `context`.

        Past the trained horizon, clipped predictions are fed back.

        Args:
            context: `(batch, time, height, width, channels)`, float32 in [0, 1], with at least
                `frames` frames.
            horizon: number of frames to predict.
            num_samples: copies of the one prediction.
            seed: no effect.
            clip: clip the result to [0, 1].

        Returns:
            `(num_samples, batch, horizon, height, width, channels)`, float32.

        Raises:
            ValueError: if `context` is too short or has another frame size.
        """
        frames = self.settings.frames
        context = tf.convert_to_tensor(context, tf.float32)
        self.check_videos(context, at_least=frames)
        if horizon < 1 or num_samples < 1:
            raise ValueError(
                f"horizon and num_samples must be at least 1, received {horizon}, {num_samples}"
            )
        window, predictions = context[:, -frames:], []
        for _ in range(-(-horizon // frames)):
            prediction = self._predict(window)
            window = tf.clip_by_value(prediction, 0.0, 1.0)
            predictions.append(window if clip else prediction)
        result = tf.concat(predictions, axis=1)[:, :horizon]
        return tf.repeat(result[None], num_samples, axis=0)

    @tf.function
    def _predict(self, context: tf.Tensor) -> tf.Tensor:
        return self(context, training=False)
