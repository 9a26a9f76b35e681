"""Batch, group and layer normalisation as PyTorch has them, with the activation that follows.

All three take a mean and a variance over some of the axes, normalise by them, scale, shift and
activate. On large tensors that is compiled (`hvp.layers.compiled`): two passes for the moments and
one for the result, and as many for the gradient, for which nothing but the input is kept.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from keras.activations import linear

from hvp.layers import compiled
from hvp.layers.custom_gradients import custom_gradient
from hvp.layers.shared import kept

NORM_EPSILON = 1e-5  # PyTorch's default, of batch, group and layer normalisation
LANES = 16  # numbers of a row that are summed up side by side
WIDTH = 64  # numbers side by side, from which on a loop over them is fast

Activation = Callable[[tf.Tensor], tf.Tensor]
Tensors = tuple[tf.Tensor, ...]


class LayerNormalization(layers.LayerNormalization):
    """Of the last axis."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.beside(x)[0]

    def beside(self, x: tf.Tensor, affine: bool = True) -> tuple[tf.Tensor, tf.Tensor]:
        """The result for a branch, and `x` for the way past it.

        Compiled, the pass that makes the gradient of one adds the other's.

        Args:
            affine: false: neither scaled nor shifted.
        """
        weights = _affine(self) if affine else ()
        if compiled.pays(x):
            rows = tf.reshape(x, (-1, x.shape[-1]))
            normal, rows = _by_row(self.epsilon)(rows, *weights)
            return tf.reshape(normal, tf.shape(x)), tf.reshape(rows, tf.shape(x))
        centred = tf.cast(x, tf.float32)
        centred -= tf.reduce_mean(centred, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        normal = centred * tf.math.rsqrt(variance + self.epsilon)
        return tf.cast(_scaled(normal, *weights), x.dtype), x


class GroupNormalization(layers.GroupNormalization):
    """Of each example's groups of consecutive channels, the last axis.

    Args:
        groups: their number.
        activation: what follows.
    """

    def __init__(self, groups: int, activation: Activation = linear, **kwargs: Any) -> None:
        super().__init__(groups=groups, epsilon=NORM_EPSILON, **kwargs)
        self.activation = activation

    def call(self, x: tf.Tensor) -> tf.Tensor:
        if compiled.pays(x):
            parts = tf.reshape(x, (-1, math.prod(x.shape[1:-1]), x.shape[-1]))
            run = _by_channel(self.groups, self.epsilon, self.activation)
            return tf.reshape(run(parts, *_affine(self))[0], tf.shape(x))
        return self.activation(super().call(x))


class BatchNormalization(layers.BatchNormalization):
    """Batch normalisation whose moving variance is of unbiased estimates, as PyTorch's.

    A batch is normalised by its biased variance. Channels are the last axis; there is no mask.

    Args:
        activation: what follows.
    """

    def __init__(self, activation: Activation = linear, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activation

    def call(self, inputs: tf.Tensor, training: bool | None = None, groups: int = 1) -> tf.Tensor:
        """Normalises; while training, each of `groups` equal parts of the batch by itself.

        The moving values take in one part after the other.
        """
        if not self.uses_batch(training):
            return _at_rest(self.activation)(inputs, *self.at_rest())
        channels = inputs.shape[-1]
        parts = tf.reshape(inputs, (groups, -1, channels))
        if compiled.pays(inputs) and not self.synchronized:
            run = _by_channel(channels, self.epsilon, self.activation)
            y, mean, variance = run(parts, *_affine(self))
        else:
            x = tf.cast(parts, tf.float32)
            mean, variance = keras.ops.moments(x, 1, keepdims=True, synchronized=self.synchronized)
            gamma, beta = _affine(self)
            y = (x - mean) * (tf.math.rsqrt(variance + self.epsilon) * gamma) + beta
            y = self.activation(tf.cast(y, self.compute_dtype))
        self._move(mean, variance, tf.shape(parts)[1])
        return tf.reshape(y, tf.shape(inputs))

    def uses_batch(self, training: bool | None) -> bool:
        """Whether it normalises by the batch's moments, not by the moving ones."""
        return bool(training and self.trainable)

    def at_rest(self) -> tuple[tf.Tensor, tf.Tensor]:
        """What it multiplies by and what it adds, `(channels,)` float32, by the moving values."""
        gamma, beta = _affine(self)
        mean, variance = (
            tf.convert_to_tensor(w, tf.float32) for w in (self.moving_mean, self.moving_variance)
        )
        scale = tf.math.rsqrt(variance + self.epsilon) * gamma
        return scale, beta - mean * scale

    def _move(self, mean: tf.Tensor, variance: tf.Tensor, count: tf.Tensor) -> None:
        """Takes in the moments `(groups, 1, channels)` of `count` values each."""
        groups, count = mean.shape[0], tf.cast(count, tf.float32)
        if self.synchronized:
            count *= tf.distribute.get_replica_context().num_replicas_in_sync
        unbiased = variance * count / tf.maximum(count - 1.0, 1.0)
        # A part counts less the more there are after it.
        shares = (1.0 - self.momentum) * self.momentum ** np.arange(groups - 1.0, -1.0, -1.0)
        shares = shares.reshape(groups, 1, 1).astype(np.float32)
        for moving, values in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
            new = tf.reduce_sum(values * shares, (0, 1))
            moving.assign(moving * self.momentum**groups + new)


def batch_norm(name: str, **kwargs: Any) -> BatchNormalization:
    """Batch normalisation with PyTorch's momentum, epsilon and moving variance."""
    return BatchNormalization(momentum=0.9, epsilon=NORM_EPSILON, name=name, **kwargs)


def _affine(layer: keras.layers.Layer) -> tuple[tf.Tensor, tf.Tensor]:
    """Scale and shift of a normalisation, `(channels,)`, float32."""
    gamma, beta = (tf.convert_to_tensor(w, tf.float32) for w in (layer.gamma, layer.beta))
    return gamma, beta


@functools.lru_cache(maxsize=32)
def _at_rest(activate: Activation) -> Callable[..., tf.Tensor]:
    """Of any tensor: times a scale and plus a shift, one a channel, and activated."""

    @compiled.differentiable
    def run(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
        return activate(tf.cast(tf.cast(x, tf.float32) * scale + shift, x.dtype))

    return run


def _scaled(normal: tf.Tensor, gamma: Any = None, beta: Any = None) -> tf.Tensor:
    return normal if gamma is None else normal * gamma + beta


@functools.lru_cache(maxsize=32)
def _by_row(epsilon: float) -> Callable[..., Tensors]:
    """Compiled: rows of `(n, channels)` normalised, and as they are.

    The function takes the rows, and may take a gamma and a beta to scale and shift by. What is
    computed is float32, whatever the type of the rows.
    """

    def mean_of(x: tf.Tensor) -> tf.Tensor:
        channels = x.shape[1]
        lanes = math.gcd(channels, LANES)
        x = tf.reduce_mean(tf.reshape(x, (-1, channels // lanes, lanes)), 1)
        return tf.reduce_mean(x, 1, keepdims=True)

    def normal_and_scale(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x = x - mean_of(x)
        scale = tf.math.rsqrt(mean_of(tf.square(x)) + epsilon)
        return x * scale, scale

    @compiled.program
    def forward(x: tf.Tensor, *affine: tf.Tensor) -> tf.Tensor:
        normal, _ = normal_and_scale(tf.cast(x, tf.float32))
        return tf.cast(_scaled(normal, *affine), x.dtype)

    @compiled.program
    def backward(x: tf.Tensor, affine: Tensors, dy: tf.Tensor, dpast: tf.Tensor) -> Tensors:
        normal, scale = normal_and_scale(tf.cast(x, tf.float32))
        dtype, dy, dpast = x.dtype, tf.cast(dy, tf.float32), tf.cast(dpast, tf.float32)
        dnormal = dy * affine[0] if affine else dy
        dx = scale * (dnormal - mean_of(dnormal) - normal * mean_of(dnormal * normal)) + dpast
        daffine = (tf.reduce_sum(dy * normal, 0), tf.reduce_sum(dy, 0)) if affine else ()
        return tf.cast(dx, dtype), *daffine

    @custom_gradient
    def run(x: tf.Tensor, *affine: tf.Tensor) -> tuple[Tensors, Callable]:
        y = forward(*map(tf.stop_gradient, (x, *affine)))  # or eager tapes keep what is inside
        return (y, tf.identity(x)), lambda dy, dpast: backward(x, affine, dy, dpast)

    return run


@functools.lru_cache(maxsize=32)
def _by_channel(groups: int, epsilon: float, activate: Activation) -> Callable[..., Tensors]:
    """Compiled: each group of channels of each part normalised, scaled, shifted and activated.

    The function takes `(parts, n, channels)` and gamma and beta, `(channels,)`. It gives the
    result, and mean and biased variance, `(parts, 1, channels)`, the same throughout a group. What
    is computed is float32, whatever the type of the first.
    """

    @compiled.program
    def moments_of(x: tf.Tensor) -> Tensors:
        wide = _Wide(x, groups)
        centred = wide.values(x)
        mean = wide.of_groups(wide.mean(centred))
        centred -= wide.spread(mean)
        return mean, wide.of_groups(wide.mean(tf.square(centred)))

    @compiled.program
    def forward(inputs: Tensors, moments: Tensors) -> tf.Tensor:
        (x, gamma, beta), (mean, variance) = inputs, moments
        wide = _Wide(x, groups)
        scale = tf.math.rsqrt(variance + epsilon) * gamma
        y = (wide.values(x) - wide.spread(mean)) * wide.spread(scale)
        y = activate(y + wide.spread(beta[None, None]))
        return tf.reshape(tf.cast(y, x.dtype), tf.shape(x))

    @compiled.program
    def backward(inputs: Tensors, moments: Tensors, upstream: Tensors) -> Tensors:
        (x, gamma, beta), (mean, variance), (dy, dmean, dvariance) = inputs, moments, upstream
        wide = _Wide(x, groups)
        scale = tf.math.rsqrt(variance + epsilon)
        normal = (wide.values(x) - wide.spread(mean)) * wide.spread(scale)
        with tf.GradientTape() as tape:
            z = normal * wide.spread(gamma[None, None]) + wide.spread(beta[None, None])
            tape.watch(z)
            y = activate(z)
        dz = tape.gradient(y, z, wide.values(dy))
        dgamma, dbeta = wide.mean(dz * normal), wide.mean(dz)
        # Through the moments: what the result owes to them, less their own gradients.
        count = tf.cast(tf.shape(x)[1], tf.float32)
        by_mean = wide.of_groups(dbeta * gamma - dmean / (count * scale))
        by_scale = wide.of_groups(dgamma * gamma - 2.0 * dvariance / (count * scale**2))
        dx = dz * wide.spread(scale * gamma) - wide.spread(scale * by_mean)
        dx -= normal * wide.spread(scale * by_scale)
        dx = tf.reshape(tf.cast(dx, x.dtype), tf.shape(x))
        return dx, count * tf.reduce_sum(dgamma, (0, 1)), count * tf.reduce_sum(dbeta, (0, 1))

    @custom_gradient
    def run(*inputs: tf.Tensor) -> tuple[Tensors, Callable]:
        eager = tf.executing_eagerly()  # then a tape would keep what is inside
        x, *affine = map(tf.stop_gradient, inputs) if eager else inputs
        moments = tuple(kept(moment) for moment in moments_of(x))
        y = forward((x, *affine), moments)

        def gradient(*upstream: tf.Tensor) -> Tensors:
            # Gradients of gradients need moments that depend on the inputs.
            return backward(inputs, run(*inputs)[1:] if eager else moments, upstream)

        return (y, *moments), gradient

    return run


class _Wide:
    """Few channels, of several neighbours side by side: loops over few numbers are slow.

    Maps between `(parts, n, channels)`, `(parts, n / beside, beside * channels)` and, of a part's
    channels, `(parts, 1, channels)`.
    """

    def __init__(self, x: tf.Tensor, groups: int) -> None:
        self.groups = groups
        _, count, self.channels = x.shape
        self.beside = 1 if count is None else math.gcd(count, max(1, WIDTH // self.channels))
        self.copies = None
        if self.beside > 1:
            # A product with this, exact, as XLA reads what `tf.tile` makes one by one.
            eye = np.eye(self.channels, dtype=np.float32)
            self.copies = tf.constant(np.tile(eye, (1, self.beside)))

    def values(self, x: tf.Tensor) -> tf.Tensor:
        """All of `x`, float32, side by side."""
        parts, count, _ = x.shape
        rows = -1 if count is None else count // self.beside
        shape = (tf.shape(x)[0] if parts is None else parts, rows, self.beside * self.channels)
        return tf.reshape(tf.cast(x, tf.float32), shape)

    def spread(self, x: tf.Tensor) -> tf.Tensor:
        """Of a part's channels, to their places side by side."""
        return x if self.copies is None else x @ self.copies

    def mean(self, x: tf.Tensor) -> tf.Tensor:
        """Over n, of values side by side."""
        x = tf.reduce_mean(x, 1, keepdims=True)
        if self.copies is None:
            return x
        return tf.matmul(x, self.copies, transpose_b=True) / self.beside

    def of_groups(self, x: tf.Tensor) -> tf.Tensor:
        """Of a part's channels, the mean of each one's group in its place."""
        if self.groups == self.channels:
            return x
        grouped = tf.reshape(x, (-1, self.groups, self.channels // self.groups))
        mean = tf.reduce_mean(grouped, -1, keepdims=True)
        return tf.reshape(tf.broadcast_to(mean, tf.shape(grouped)), tf.shape(x))
