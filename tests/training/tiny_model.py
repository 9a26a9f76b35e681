"""The model of `tiny_family`."""

from __future__ import annotations

import tensorflow as tf
from keras import layers
from tiny_family import TinyConfig

from hvp.layers.convolution import batch_norm
from hvp.models.base import VideoModel


class TinyModel(VideoModel):
    """Two convolutions from each frame to the next one."""

    min_window = 2

    config_class = TinyConfig

    def make_layers(self):
        self.hidden = layers.Conv2D(4, 3, padding="same", activation="relu", name="hidden")
        self.norm = batch_norm("norm") if self.settings.norm else None
        self.frame = layers.Conv2D(self.channels, 3, padding="same", name="frame")

    def build_layers(self):
        self(tf.zeros((1, *self.frame_shape)))

    def call(self, frames, training=False):
        x = self.hidden(frames)
        x = self.norm(x, training=training) if self.norm else x
        return tf.nn.sigmoid(self.frame(x))

    def compute_objective(self, batch, seed, training):
        frames = tf.reshape(batch[:, :-1], (-1, *batch.shape[2:]))
        target = tf.reshape(batch[:, 1:], (-1, *batch.shape[2:]))
        loss = tf.reduce_mean(tf.square(self(frames, training=training) - target))
        return loss, {"loss": loss}
