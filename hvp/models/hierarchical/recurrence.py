"""The recurrence of one level over its ticks, whose gradient takes one small step per tick.

Only the GRU's states need one tick after the other. Everything else, the latents among it, follows
from them for all ticks at once, and so do the gradients of the weights: back through the ticks goes
only the gradient of the state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from hvp.layers.first_order import with_gradient
from hvp.models.hierarchical.latent import Latent


class Weights(NamedTuple):
    """Kernels and biases of what every tick does, in float32."""

    prior_input: tf.Tensor  # (stoch, embed): the share of the previous sample
    gru_kernel: tf.Tensor  # (embed, 3 deter): update gate, reset gate, candidate, as Keras has them
    gru_recurrent: tf.Tensor  # (deter, 3 deter)
    gru_bias: tf.Tensor  # (2, 3 deter): of the input's product and of the state's
    prior_hidden: tf.Tensor  # (deter, embed)
    prior_hidden_bias: tf.Tensor
    prior_heads: tf.Tensor  # (embed, 2 stoch): mean, and what softplus makes a stddev of
    prior_heads_bias: tf.Tensor
    posterior_input: tf.Tensor  # (deter, embed): the share of the state
    posterior_hidden: tf.Tensor  # (embed, embed)
    posterior_hidden_bias: tf.Tensor
    posterior_heads: tf.Tensor  # (embed, 2 stoch)
    posterior_heads_bias: tf.Tensor


class Inputs(NamedTuple):
    """What the ticks read, time-major, each `(ticks, batch, width)`; `None` where there is none."""

    prior: tf.Tensor  # (.., embed): the context's share of `prior_input`, bias included
    noise: tf.Tensor  # (.., stoch)
    posterior: tf.Tensor | None = None  # (.., embed): the observations' share of `posterior_input`
    keep: tf.Tensor | None = None  # (ticks, 1, 1), 0 where the previous sample is forgotten
    observed: tf.Tensor | None = None  # (.., 1), 0 where the posterior is the prior


class Recurrence(NamedTuple):
    """One level's arithmetic. Its methods take one tick's tensors or, time-major, all ticks'.

    Attributes:
        min_stddev, mean_only, residual_posterior: as of `RecurrentCell`.
    """

    min_stddev: float
    mean_only: bool
    residual_posterior: bool

    def advance(
        self, weights: Weights, deter: tf.Tensor, sample: tf.Tensor, inputs: Inputs
    ) -> tf.Tensor:
        """The GRU's next state, `(.., batch, deter)`, from the state and sample before it."""
        if inputs.keep is not None:
            sample = sample * inputs.keep
        x = tf.nn.relu(_product(sample, weights.prior_input) + inputs.prior)
        input_bias, state_bias = tf.unstack(weights.gru_bias)
        from_input = _product(x, weights.gru_kernel) + input_bias
        from_state = _product(deter, weights.gru_recurrent) + state_bias
        sizes = (2 * deter.shape[-1], deter.shape[-1])
        gates_input, candidate_input = tf.split(from_input, sizes, axis=-1)
        gates_state, candidate_state = tf.split(from_state, sizes, axis=-1)
        update, reset = tf.split(tf.sigmoid(gates_input + gates_state), 2, axis=-1)
        candidate = tf.tanh(candidate_input + reset * candidate_state)
        return candidate + update * (deter - candidate)

    def prior(self, weights: Weights, deter: tf.Tensor) -> Latent:
        """Of the latent, given the state."""
        y = tf.nn.relu(_product(deter, weights.prior_hidden) + weights.prior_hidden_bias)
        mean, stddev = _heads(y, weights.prior_heads, weights.prior_heads_bias)
        return Latent.of(mean, stddev + self.min_stddev)

    def posterior(
        self, weights: Weights, deter: tf.Tensor, inputs: Inputs, prior: Latent
    ) -> Latent:
        """The same, given the observations as well; the prior where there are none."""
        if inputs.posterior is None:
            return prior
        y = tf.nn.relu(_product(deter, weights.posterior_input) + inputs.posterior)
        y = tf.nn.relu(_product(y, weights.posterior_hidden) + weights.posterior_hidden_bias)
        mean, stddev = _heads(y, weights.posterior_heads, weights.posterior_heads_bias)
        if self.residual_posterior:
            posterior = Latent.of(prior.loc + mean, prior.scale + stddev)
        else:
            posterior = Latent.of(mean, stddev + self.min_stddev)
        return posterior if inputs.observed is None else posterior.where(inputs.observed > 0, prior)

    def draw(self, posterior: Latent, inputs: Inputs) -> tf.Tensor:
        """The sample, `(.., batch, stoch)`."""
        return posterior.loc if self.mean_only else posterior.from_noise(inputs.noise)

    def sample(self, weights: Weights, deter: tf.Tensor, inputs: Inputs) -> tf.Tensor:
        """The sample that a state leads to."""
        return self.draw(self.posterior(weights, deter, inputs, self.prior(weights, deter)), inputs)

    def states(
        self, weights: Weights, inputs: Inputs, sample: tf.Tensor, deter: tf.Tensor
    ) -> tf.Tensor:
        """The GRU's states of all ticks, `(ticks, batch, deter)`, from sample and state before."""
        structure = (weights, inputs, (sample, deter))
        given = [x is not None for x in tf.nest.flatten(structure)]

        def packed(tensors: Sequence[tf.Tensor]) -> tuple:
            present = iter(tensors)
            flat = [next(present) if there else None for there in given]
            return tf.nest.pack_sequence_as(structure, flat)

        def forward(*tensors: tf.Tensor) -> tf.Tensor:
            weights, inputs, start = packed(tensors)
            return _forward(self, weights, inputs, start)

        def backward(*tensors: tf.Tensor) -> list[tf.Tensor]:
            *own, states, dy = tensors
            weights, inputs, start = packed(own)
            return _backward(self, weights, inputs, start, states, dy)

        return with_gradient(forward, backward, _tensors(structure))


def _forward(
    level: Recurrence, weights: Weights, inputs: Inputs, start: tuple[tf.Tensor, tf.Tensor]
) -> tf.Tensor:
    ticks = inputs.prior.shape[0]
    read = _reader(inputs)

    def tick(t, sample, deter, states):
        now = read(t)
        deter = level.advance(weights, deter, sample, now)
        return t + 1, level.sample(weights, deter, now), deter, states.write(t, deter)

    sample, deter = start
    states = tf.TensorArray(tf.float32, size=ticks, element_shape=deter.shape)
    *_, states = tf.while_loop(
        lambda t, *_: t < ticks, tick, (0, sample, deter, states), maximum_iterations=ticks
    )
    return states.stack()


def _backward(
    level: Recurrence,
    weights: Weights,
    inputs: Inputs,
    start: tuple[tf.Tensor, tf.Tensor],
    states: tf.Tensor,
    gradients: tf.Tensor,
) -> list[tf.Tensor]:
    """Gradients of the tensors of weights, inputs and start, from those of `states`."""
    totals = _state_gradients(level, weights, inputs, states, gradients)
    sources = _tensors((weights, inputs, start))
    with tf.GradientTape() as tape:
        tape.watch(sources)
        earlier = Inputs(*(None if x is None else x[:-1] for x in inputs))
        drawn = level.sample(weights, states[:-1], earlier)
        samples = tf.concat([start[0][None], drawn], axis=0)
        deters = tf.concat([start[1][None], states[:-1]], axis=0)
        following = level.advance(weights, deters, samples, inputs)
    zero = tf.UnconnectedGradients.ZERO
    return tape.gradient(following, sources, totals, unconnected_gradients=zero)


def _state_gradients(
    level: Recurrence,
    weights: Weights,
    inputs: Inputs,
    states: tf.Tensor,
    gradients: tf.Tensor,
) -> tf.Tensor:
    """The gradient of every state, by itself and by those that follow it."""
    ticks = states.shape[0]
    read = _reader(inputs)
    state_at, gradient_at = _array(states), _array(gradients)

    def tick(t, later, totals):
        total = gradient_at.read(t) + later
        with tf.GradientTape() as tape:
            deter = state_at.read(t - 1)
            tape.watch(deter)
            sample = level.sample(weights, deter, read(t - 1))
            following = level.advance(weights, deter, sample, read(t))
        return t - 1, tape.gradient(following, deter, total), totals.write(t, total)

    totals = tf.TensorArray(tf.float32, size=ticks, element_shape=states.shape[1:])
    _, later, totals = tf.while_loop(
        lambda t, *_: t > 0,
        tick,
        (ticks - 1, tf.zeros_like(states[0]), totals),
        maximum_iterations=ticks,
    )
    return totals.write(0, gradients[0] + later).stack()


def _tensors(structure: tuple) -> list[tf.Tensor]:
    return [x for x in tf.nest.flatten(structure) if x is not None]


def _product(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`x @ kernel` over the last axis; all other axes are rows of one product."""
    rows = tf.reshape(x, (-1, x.shape[-1])) if x.shape.rank > 2 else x
    product = tf.matmul(rows, kernel)
    if x.shape.rank == 2:
        return product
    if x.shape[:-1].is_fully_defined():
        return tf.reshape(product, (*x.shape[:-1], kernel.shape[-1]))
    return tf.reshape(product, tf.concat([tf.shape(x)[:-1], [kernel.shape[-1]]], axis=0))


def _heads(y: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and standard deviation that the merged heads give."""
    mean, raw = tf.split(_product(y, kernel) + bias, 2, axis=-1)
    return mean, tf.nn.softplus(raw)


def _array(x: tf.Tensor) -> tf.TensorArray:
    return tf.TensorArray(x.dtype, size=x.shape[0], clear_after_read=False).unstack(x)


def _reader(inputs: Inputs):
    """A function of t that gives a tick's inputs."""
    arrays = [None if x is None else _array(x) for x in inputs]
    return lambda t: Inputs(*(None if a is None else a.read(t) for a in arrays))
