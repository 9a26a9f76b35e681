"""The convolutional LSTM cell (Shi et al., NeurIPS 2015, equation 3, without peepholes)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import layers

from hvp.layers.initial_values import pytorch_values

State = tuple[tf.Tensor, tf.Tensor]


class ConvLSTMCell(layers.Layer):
    """Gates from a convolution of the input plus one of the state; no biases.

    Args:
        filters: of the state.
        kernel: odd size of both convolutions.

    `call(x, state)` maps `(batch, h, w, c)` and the state, two `(batch, h, w, filters)`, to the new
    state, whose first part is the output.
    """

    def __init__(self, filters: int, kernel: int, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)  # in bfloat16 the state would lose what it gains
        self.filters = filters
        self.of_input, self.of_state = (
            layers.Conv2D(
                4 * filters, kernel, padding="same", use_bias=False, name=name, **pytorch_values()
            )
            for name in ("of_input", "of_state")
        )

    def call(self, x: tf.Tensor, state: State) -> State:
        hidden, cell = state
        gates = tf.cast(self.of_input(x) + self.of_state(hidden), tf.float32)
        i, f, g, o = tf.split(gates, 4, axis=-1)
        cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(cell), cell
