"""Layers that share one graph and remember only their input."""

from __future__ import annotations

import keras
import tensorflow as tf

from hvp.layers.first_order import with_gradient

# Not taken apart by TensorFlow, which would compute anew as soon as a layer's input is there.
NOT_INLINED = {"_noinline": True}


class SharedLayers:
    """Runs layers as functions, one for all layers that differ in their weights only.

    The gradient computes a layer anew from its input, so nothing inside it is kept between forward
    and backward pass, and a network of many equal blocks is traced once a block shape. Layers of
    one class whose inputs and weights have the same shapes must do the same; they have no state and
    draw nothing at random.

    Example:
        >>> shared = SharedLayers()
        >>> for block in blocks:
        ...     x = shared(block, x)  # the same numbers as block(x)
    """

    def __init__(self) -> None:
        self._functions: dict[tuple, _Functions] = {}

    def __call__(self, layer: keras.layers.Layer, x: tf.Tensor) -> tf.Tensor:
        """`layer(x)`; the first call, which builds the layer, is not shared."""
        if not layer.built:
            return layer(x)
        shapes = (tuple(weight.shape) for weight in layer.weights)
        key = (type(layer), tuple(x.shape[1:]), *shapes)
        if key not in self._functions:
            self._functions[key] = _Functions(layer)
        return self._functions[key](layer, x)


class _Functions:
    """Forward and backward pass of layers with the structure of `template`."""

    def __init__(self, template: keras.layers.Layer) -> None:
        self.template = template
        self._forward = tf.function(self._run, autograph=False, experimental_attributes=NOT_INLINED)
        self._backward = tf.function(
            self._differentiate, autograph=False, experimental_attributes=NOT_INLINED
        )

    def __call__(self, layer: keras.layers.Layer, x: tf.Tensor) -> tf.Tensor:
        def forward(x: tf.Tensor, *weights: tf.Tensor) -> tf.Tensor:
            return self._forward(x, weights)

        def backward(x: tf.Tensor, *others: tf.Tensor) -> tuple[tf.Tensor, ...]:
            *weights, _, dy = others
            dx, dweights = self._backward(x, tuple(weights), dy)
            return dx, *dweights

        weights = [tf.convert_to_tensor(w.value) for w in layer.trainable_variables]
        return with_gradient(forward, backward, (x, *weights))

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
