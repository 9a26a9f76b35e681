"""The model of `tiny_family`."""

from __future__ import annotations

import tensorflow as tf
from keras import layers
from tiny_family import TinyConfig

from hvp.layers.normalisation import batch_norm
from hvp.models.base import VideoModel


class TinyModel(VideoModel):
    """Two convolutions from each frame to the next one."""

    config_class = TinyConfig
    min_window = 2

    def make_layers(self):
        self.hidden = layers.Conv2D(4, 3, padding="same", activation="relu", name="hidden")
        self.norm = batch_norm("norm") if self.settings.norm else None
        self.frame = layers.Conv2D(self.channels, 3, padding="same", name="frame")

    def call(self, context, training=False):
        x = self.hidden(tf.reshape(context, (-1, *self.frame_shape)))
        x = self.norm(x, training=training) if self.norm else x
        return tf.nn.sigmoid(self.frame(x))

    def compute_objective(self, batch, seed, training):
        target = tf.reshape(batch[:, 1:], (-1, *self.frame_shape))
        loss = tf.reduce_mean(tf.square(self(batch[:, :-1], training=training) - target))
        return loss, {"loss": loss}
