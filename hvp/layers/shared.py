"""Layers that share one graph and remember only their input."""

from __future__ import annotations

import keras
import tensorflow as tf

# Not taken apart by TensorFlow, which would compute anew as soon as a layer's input is there.
WHOLE = {"_noinline": True}


class SharedLayers:
    """Runs layers as functions, one for all layers that differ in their weights only.

    The gradient computes a layer anew from its input, so nothing inside it is kept between forward
    and backward pass, and a network of many equal blocks is traced once a block shape. Layers of
    one class whose inputs and weights have the same shapes must do the same; they have no state and
    draw nothing at random.

    Example:
        >>> programs = SharedLayers()
        >>> for block in blocks:
        ...     x = programs(block, x)  # the same numbers as block(x)
    """

    def __init__(self) -> None:
        self._programs: dict[tuple, _Program] = {}

    def __call__(self, layer: keras.layers.Layer, x: tf.Tensor) -> tf.Tensor:
        """`layer(x)`; the first call, which builds the layer, is not shared."""
        if not layer.built:
            return layer(x)
        shapes = (tuple(weight.shape) for weight in layer.weights)
        key = (type(layer), tuple(x.shape[1:]), *shapes)
        if key not in self._programs:
            self._programs[key] = _Program(layer)
        return self._programs[key](layer, x)


class _Program:
    """Forward and backward pass of layers with the structure of `template`."""

    def __init__(self, template: keras.layers.Layer) -> None:
        self.template = template
        self._forward = tf.function(self._run, autograph=False, experimental_attributes=WHOLE)
        self._backward = tf.function(
            self._differentiate, autograph=False, experimental_attributes=WHOLE
        )

    def __call__(self, layer: keras.layers.Layer, x: tf.Tensor) -> tf.Tensor:
        @tf.custom_gradient
        def call(x: tf.Tensor, *weights: tf.Tensor) -> tuple[tf.Tensor, object]:
            # Without stop_gradient an eager tape would differentiate the program as well.
            x, weights = tf.stop_gradient(x), tuple(map(tf.stop_gradient, weights))
            y = self._forward(x, weights)

            def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, ...]:
                dx, dweights = self._backward(x, weights, dy)
                return dx, *dweights

            return y, gradient

        return call(x, *(tf.convert_to_tensor(w.value) for w in layer.trainable_variables))

    def _run(self, x: tf.Tensor, weights: tuple[tf.Tensor, ...]) -> tf.Tensor:
        return self.template.stateless_call(list(weights), [], x)[0]

    def _differentiate(
        self, x: tf.Tensor, weights: tuple[tf.Tensor, ...], dy: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        with tf.GradientTape() as tape:
            tape.watch((x, weights))
            y = self._run(x, weights)
        zero = tf.UnconnectedGradients.ZERO
        return tape.gradient(y, (x, weights), dy, unconnected_gradients=zero)
