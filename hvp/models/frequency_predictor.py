"""What SDFNet and DFDNet share: encoder, temporal module per stage, decoder, losses."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from hvp.layers.spatial import SpatialDecoder, SpatialEncoder, fold_time, unfold_time
from hvp.losses import weighted_losses
from hvp.models.window_predictor import Terms, WindowPredictor

STAGES = 4
SPATIAL_STRIDE = 4  # of all stages together


class FrequencyPredictor(WindowPredictor):
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
        super().make_layers()
        self.losses_by_name = weighted_losses(s.losses, s.loss_axes)
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

    def predict_window(
        self, context: tf.Tensor, training: bool, seed: tf.Tensor | None
    ) -> tf.Tensor:
        del seed  # nothing is random
        frames = self.settings.frames
        images = tf.reshape(context, (-1, *self.frame_shape))
        stages = [fold_time(stage, frames) for stage in self.encoder(images)]
        stages = self.temporal_module(stages, training)
        images = self.decoder([unfold_time(stage, frames) for stage in stages])
        return tf.reshape(images, (-1, frames, *self.frame_shape))

    def loss_terms(self, true: tf.Tensor, predicted: tf.Tensor) -> Terms:
        return {
            name: (weight, loss(true, predicted))
            for name, (weight, loss) in self.losses_by_name.items()
        }
