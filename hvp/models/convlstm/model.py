"""ConvLSTM: "Convolutional LSTM Network" (Shi et al., NeurIPS 2015), as OpenSTL has it.

Layers of convolutional LSTM cells read frames cut into patches and predict the next one at every
step, also during the context.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from hvp.layers.initial_values import pytorch_values
from hvp.models.base import VideoModel
from hvp.models.convlstm.config import ConvLSTMConfig
from hvp.models.convlstm.networks import ConvLSTMCell, State
from hvp.models.samples import together
from hvp.models.seeds import replica_rows


class ConvLSTM(VideoModel):
    """Predicts frame by frame; see `ConvLSTMConfig` for the settings.

    Args:
        height, width: divisible by `patch_size`.

    Example:
        >>> model = hvp.models.ConvLSTM(height=64, width=64, hidden=[64, 64])
        >>> context = np.zeros((2, 10, 64, 64, 1), "float32")
        >>> model.rollout(context, horizon=20).shape
        TensorShape([1, 2, 20, 64, 64, 1])
    """

    config_class = ConvLSTMConfig
    pytorch_epsilon = True
    min_window = 2
    block = 1

    def make_layers(self) -> None:
        s, patch = self.settings, self.settings.patch_size
        if self.height % patch or self.width % patch:
            raise ValueError(
                f"height and width must be divisible by patch_size ({patch}), received "
                f"{self.height}, {self.width}"
            )
        self.cells = [
            ConvLSTMCell(filters, s.kernel_size, name=f"cell_{i}")
            for i, filters in enumerate(s.hidden)
        ]
        values = patch**2 * self.channels
        self.readout = layers.Conv2D(values, 1, use_bias=False, name="readout", **pytorch_values())

    def build_layers(self) -> None:
        keras.Layer.compute_output_spec(self, keras.KerasTensor((1, 2, *self.frame_shape)))

    def call(
        self, videos: tf.Tensor, training: bool = False, shown: tf.Tensor | None = None
    ) -> tf.Tensor:
        """The next frame at every step: `(batch, time - 1, height, width, channels)`.

        Args:
            videos: `(batch, time, height, width, channels)`, float32 in [0, 1].
            training: no effect.
            shown: `(batch, time - 1)`, 1 where the true frame is read, 0 where the model reads its
                own prediction of it; all true by default. The first frame is always read.
        """
        del training
        true, step = tf.cast(self._patches(videos), tf.float32), None
        states, predicted = self._start(tf.shape(videos)[0]), []
        for t in range(videos.shape[1] - 1):
            frame = true[:, t]
            if t and shown is not None:
                keep = tf.cast(shown[:, t, None, None, None], tf.float32)
                frame = keep * frame + (1 - keep) * step
            step, states = self._step(frame, states)
            predicted.append(step)
        return self._frames(tf.stack(predicted, axis=1))

    def compute_objective(
        self, batch: tf.Tensor, seed: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The squared error of all next frames.

        While training, later frames than the context are read with a probability that falls from 1
        to 0 over `sampling_steps` updates (scheduled sampling; Bengio et al., NeurIPS 2015).
        """
        self.check_videos(batch, at_least=2)
        context, time = min(self.settings.context, batch.shape[1] - 1), batch.shape[1]
        probability = self._sampling_probability() if training else 0.0
        drawn = replica_rows(
            lambda rows: tf.random.stateless_uniform((rows, time - 1 - context), seed),
            tf.shape(batch)[0],
        )
        shown = tf.cast(drawn < probability, tf.float32)
        shown = tf.pad(shown, ((0, 0), (context, 0)), constant_values=1.0)
        predicted = self(batch, training=training, shown=shown)
        squared = tf.square(predicted - batch[:, 1:])
        loss = tf.reduce_mean(squared)
        scalars = {"loss": loss, "mse": tf.reduce_mean(squared[:, context - 1 :])}
        if training:
            scalars["sampling_probability"] = probability
        return loss, scalars

    def _sampling_probability(self) -> tf.Tensor:
        if not self.settings.sampling_steps or self.optimizer is None:
            return tf.constant(0.0)
        done = tf.cast(tf.convert_to_tensor(self.optimizer.iterations), tf.float32)
        return tf.maximum(0.0, 1.0 - done / self.settings.sampling_steps)

    def _begin(
        self,
        context: tf.Tensor,
        count: int,
        num_samples: int,
        seeds: tf.Tensor,
        masks: tf.Tensor | None,
    ) -> tuple[tf.Tensor, Any]:
        """The state is the last frame that was predicted, as patches, and those of the cells."""
        del num_samples, seeds, masks
        return self._alone(self._open_loop(context, tf.constant(count)))

    def _continue(self, state: Any, count: int) -> tuple[tf.Tensor, Any]:
        return self._alone(self._go_on(*together(state), tf.constant(count)))

    def _alone(self, found: tuple) -> tuple[tf.Tensor, Any]:
        """As of one sample. In a graph around these nobody knows the horizon's length."""
        frames, *state = tf.nest.map_structure(lambda x: x[None], found)
        return frames, state

    @tf.function(reduce_retracing=True, autograph=False)
    def _open_loop(self, context: tf.Tensor, horizon: tf.Tensor) -> tuple:
        """`(batch, horizon, height, width, channels)`, and the state after it.

        Predictions are read as they are.
        """
        seen, states = self._patches(context), self._start(tf.shape(context)[0])
        step = seen[:, 0]
        for t in range(context.shape[1]):
            step, states = self._step(seen[:, t], states)
        predicted = tf.TensorArray(tf.float32, size=horizon, element_shape=step.shape)
        return self._predict(1, step, states, predicted.write(0, step), horizon)

    @tf.function(reduce_retracing=True, autograph=False)
    def _go_on(self, step: tf.Tensor, states: list[State], horizon: tf.Tensor) -> tuple:
        predicted = tf.TensorArray(tf.float32, size=horizon, element_shape=step.shape)
        return self._predict(0, step, states, predicted, horizon)

    def _predict(
        self,
        first: int,
        step: tf.Tensor,
        states: list[State],
        predicted: tf.TensorArray,
        horizon: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, list[State]]:
        """Predicts from number `first` of `predicted` on, each from the one before it."""

        def predict(
            t: tf.Tensor, step: tf.Tensor, states: list[State], predicted: tf.TensorArray
        ) -> tuple:
            step, states = self._step(step, states)
            return t + 1, step, states, predicted.write(t, step)

        start = (tf.constant(first), step, states, predicted)
        _, step, states, predicted = tf.while_loop(lambda t, *_: t < horizon, predict, start)
        return self._frames(tf.einsum("tbhwc->bthwc", predicted.stack())), step, states

    def _start(self, batch: tf.Tensor) -> list[State]:
        patch = self.settings.patch_size
        size = (batch, self.height // patch, self.width // patch)
        return [(tf.zeros((*size, c.filters)), tf.zeros((*size, c.filters))) for c in self.cells]

    def _step(self, frame: tf.Tensor, states: list[State]) -> tuple[tf.Tensor, list[State]]:
        x, after = frame, []
        for cell, state in zip(self.cells, states, strict=True):
            state = cell(x, state)
            after.append(state)
            x = state[0]
        return tf.cast(self.readout(x), tf.float32), after

    def _patches(self, videos: tf.Tensor) -> tf.Tensor:
        """`(batch, time, h / patch, w / patch, patch**2 * channels)`, row by row of a patch."""
        frames = tf.reshape(videos, (-1, self.height, self.width, self.channels))
        patch = self.settings.patch_size
        patches = tf.nn.space_to_depth(frames, patch) if patch > 1 else frames
        return tf.reshape(patches, (-1, videos.shape[1], *patches.shape[1:]))

    def _frames(self, patches: tf.Tensor) -> tf.Tensor:
        """The inverse of `_patches`."""
        size = self.settings.patch_size
        frames = tf.reshape(patches, (-1, *patches.shape[2:]))
        frames = tf.nn.depth_to_space(frames, size) if size > 1 else frames
        shape = (tf.shape(patches)[0], -1, self.height, self.width, self.channels)
        return tf.reshape(frames, shape)
