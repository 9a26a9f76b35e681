"""Layers that share one graph and keep little for their gradient."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import keras
import tensorflow as tf

from hvp.layers.custom_gradients import custom_gradient
from hvp.layers.first_order import with_gradient

# Not taken apart by TensorFlow, which would compute anew as soon as a layer's input is there.
NOT_INLINED = {"_noinline": True}

_keep: ContextVar[Callable[[tf.Tensor], tf.Tensor] | None] = ContextVar("keep", default=None)


def kept(x: tf.Tensor) -> tf.Tensor:
    """`x`, which a layer that `SharedLayers` runs keeps for its gradient.

    What only `x` depends on is then not computed anew. Elsewhere it does nothing.
    """
    keep = _keep.get()
    return x if keep is None else keep(x)


def keeping() -> bool:
    """Whether a gradient will have what is `kept` now, and compute nothing that led to it anew."""
    return _keep.get() not in (None, _keep_nothing)


def _keep_nothing(x: tf.Tensor) -> tf.Tensor:
    return x


class SharedLayers:
    """Runs layers as functions, one for all layers that differ in their weights only.

    The gradient computes a layer anew from its input and from what it has `kept` (with
    `training=False` nothing), so nothing else inside it is in memory between forward and backward
    pass, and a network of many equal blocks is traced once a block shape. What a layer assigns to
    its weights, as moving averages, they have afterwards. Layers of one class whose inputs and
    weights have the same shapes must do the same, and draw nothing at random.

    Example:
        >>> shared = SharedLayers()
        >>> for block in blocks:
        ...     x = shared(block, x)  # the same numbers as block(x)
    """

    def __init__(self) -> None:
        self._functions: dict[tuple, _Functions] = {}

    def __call__(self, layer: keras.layers.Layer, x: tf.Tensor, **settings: bool) -> tf.Tensor:
        """`layer(x, **settings)`, with the same gradient.

        It is not shared, but called, the first time, which builds it; within a layer that is
        shared; and with a normalisation over all replicas, which functions cannot reach.
        """
        parts = list(layer._flatten_layers())
        alone = any(getattr(part, "synchronized", False) for part in parts)
        if alone or not layer.built or _keep.get() is not None:
            return layer(x, **settings)
        shapes = (tuple(weight.shape) for weight in layer.weights)
        frozen = (not part.trainable for part in parts)
        key = (type(layer), tuple(x.shape[1:]), *shapes, *frozen, *sorted(settings.items()))
        if key not in self._functions:
            self._functions[key] = _Functions(layer, settings)
        return self._functions[key](layer, x)


class _Functions:
    """Forward and backward pass of layers with the structure of `template`."""

    def __init__(self, template: keras.layers.Layer, settings: dict[str, bool]) -> None:
        self.template, self.settings = template, settings
        self._forward = tf.function(self._run, autograph=False, experimental_attributes=NOT_INLINED)
        self._backward = tf.function(
            self._differentiate, autograph=False, experimental_attributes=NOT_INLINED
        )

    def __call__(self, layer: keras.layers.Layer, x: tf.Tensor) -> tf.Tensor:
        def forward(x: tf.Tensor, *weights: tf.Tensor) -> tuple[tf.Tensor, ...]:
            output, assigned, *values = self._forward(x, weights)
            for weight, value in zip(layer.weights, assigned, strict=True):
                if value is not None:
                    weight.assign(value)
            return output, *values

        def backward(x: tf.Tensor, *others: tf.Tensor) -> tuple[tf.Tensor, ...]:
            weights, (_, *values, dy) = others[: len(own)], others[len(own) :]
            dx, dweights = self._backward(x, weights, tuple(values), dy)
            return dx, *dweights

        own = [tf.convert_to_tensor(weight.value) for weight in layer.weights]
        return with_gradient(forward, backward, (x, *own))

    def _run(self, x: tf.Tensor, weights: tuple[tf.Tensor, ...]) -> tuple[Any, ...]:
        """The output; of each weight what was assigned to it, or None; and what is kept."""
        values: list[tf.Tensor] = []

        def keep(value: tf.Tensor) -> tf.Tensor:
            values.append(value)
            return value

        return *self._call(x, weights, keep), *values

    def _call(
        self,
        x: tf.Tensor,
        weights: tuple[tf.Tensor, ...],
        keep: Callable[[tf.Tensor], tf.Tensor],
    ) -> tuple[tf.Tensor, tuple[tf.Tensor | None, ...]]:
        token = _keep.set(keep if self.settings.get("training", True) else _keep_nothing)
        pairs = list(zip(self.template.weights, weights, strict=True))
        try:
            with keras.StatelessScope(pairs) as scope:
                y = self.template(x, **self.settings)
        finally:
            _keep.reset(token)
        after = (scope.get_current_value(variable) for variable, _ in pairs)
        assigned = (None if new is old else new for new, old in zip(after, weights, strict=True))
        return y, tuple(assigned)

    def _differentiate(
        self,
        x: tf.Tensor,
        weights: tuple[tf.Tensor, ...],
        values: tuple[tf.Tensor, ...],
        dy: tf.Tensor,
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        remaining = iter(values)
        with tf.GradientTape() as tape:
            tape.watch((x, weights))
            y, _ = self._call(x, weights, lambda value: _in_place_of(value, next(remaining)))
        zero = tf.UnconnectedGradients.ZERO
        return tape.gradient(y, (x, weights), dy, unconnected_gradients=zero)


def _in_place_of(value: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """`known`, the same numbers as `value`, whose gradient it has: `value` itself need not run."""
    if not value.dtype.is_floating:
        return known
    return custom_gradient(lambda value: (known, lambda dy: dy))(value)
