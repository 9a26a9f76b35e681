"""SimVP: "Simpler yet Better Video Prediction" (Gao et al., CVPR 2022) and its successors.

Convolutions down on every seen frame, a translator on all of their latents, convolutions up to as
many next frames. The translators differ; see `hvp.models.simvp.translators`.
"""

from __future__ import annotations

import tensorflow as tf

from hvp.layers.spatial import fold_time, unfold_time
from hvp.losses.differential_divergence import differential_divergence
from hvp.models.simvp.config import SimVPConfig
from hvp.models.simvp.networks import FrameDecoder, FrameEncoder, strides
from hvp.models.simvp.translators import make_translator
from hvp.models.window_predictor import Terms, WindowPredictor


class SimVP(WindowPredictor):
    """Predicts as many frames as it sees; see `SimVPConfig` for the settings.

    Args:
        height, width: divisible by the encoder's strides together, 2 ** (stages // 2).

    Example:
        >>> model = hvp.models.SimVP(height=64, width=64, frames=10, translator="gSTA")
        >>> model(np.zeros((2, 10, 64, 64, 1), "float32")).shape
        TensorShape([2, 10, 64, 64, 1])
    """

    config_class = SimVPConfig
    pytorch_epsilon = True

    def make_layers(self) -> None:
        super().make_layers()
        s = self.settings
        divisor = 2 ** strides(s.stages).count(2)
        if self.height % divisor or self.width % divisor:
            raise ValueError(
                f"height and width must be divisible by {divisor}, received {self.height}, "
                f"{self.width}"
            )
        self.encoder = FrameEncoder(s.hidden, s.stages, s.kernel_size, name="encoder")
        self.decoder = FrameDecoder(
            s.hidden, s.stages, s.kernel_size, self.channels, name="decoder"
        )
        self.translator = make_translator(s.translator, s.frames * s.hidden, s)

    def predict_window(
        self, context: tf.Tensor, training: bool, seed: tf.Tensor | None
    ) -> tf.Tensor:
        frames = self.settings.frames
        images = tf.reshape(context, (-1, *self.frame_shape))
        latents, skips = self.encoder(images)  # (batch * frames, h, w, hidden)
        x = self.translator(fold_time(latents, frames), training=training, seed=seed)
        images = self.decoder(unfold_time(x, frames), skips)
        return tf.reshape(images, (-1, frames, *self.frame_shape))

    def loss_terms(self, true: tf.Tensor, predicted: tf.Tensor) -> Terms:
        terms = {"mse": (1.0, tf.reduce_mean(tf.square(true - predicted)))}
        weight = self.settings.divergence_weight
        if weight and self.settings.frames > 1:
            divergence = differential_divergence(true, predicted)
            terms["differential_divergence"] = (weight, divergence)
        return terms
