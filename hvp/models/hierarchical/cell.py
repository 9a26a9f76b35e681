"""One level: a recurrent state-space model whose posterior is the prior plus a residual."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import tensorflow as tf
from keras import initializers, layers

from hvp.models.hierarchical.encoder import RESIDUAL_SCALE
from hvp.models.hierarchical.latent import Latent
from hvp.models.hierarchical.recurrence import Inputs, Recurrence, Weights

STDDEV_SHIFT = 0.54  # softplus(0.54) is about 1: added to the input of the stddev layers


class State(NamedTuple):
    """What a level hands from one tick to the next."""

    sample: tf.Tensor  # (batch, stoch)
    deter: tf.Tensor  # (batch, deter), the GRU's state


class LevelStates(NamedTuple):
    """Everything about one level over `ticks` ticks; without observations posterior = prior."""

    prior_mean: tf.Tensor  # (batch, ticks, stoch)
    prior_stddev: tf.Tensor
    posterior_mean: tf.Tensor
    posterior_stddev: tf.Tensor
    sample: tf.Tensor
    deter: tf.Tensor  # (batch, ticks, deter)

    @property
    def prior(self) -> Latent:
        """Of every tick, batch shape `(batch, ticks)`, after the tick before it."""
        return Latent.of(self.prior_mean, self.prior_stddev)

    @property
    def posterior(self) -> Latent:
        """The same with the tick's observation; the one that `sample` was drawn from."""
        return Latent.of(self.posterior_mean, self.posterior_stddev)

    @property
    def output(self) -> tf.Tensor:
        """Context of the level below: `(batch, ticks, stoch + deter)`."""
        return tf.concat([self.sample, self.deter], axis=-1)

    @property
    def last(self) -> State:
        """What the ticks after these go on from."""
        return State(self.sample[:, -1], self.deter[:, -1])


class RecurrentCell(layers.Layer):
    """The state-space model of one level, unrolled over its own ticks.

    Whatever does not depend on the previous tick (the context's and the observations' share of
    each dense layer, and the latents, given the GRU's states) is computed for all ticks at once.

    Args:
        stoch, deter, embed: widths of sample, GRU state and dense layers.
        min_stddev: added to the prior's standard deviation.
        mean_only: the sample is the mean.
        residual_context: the context passes `relu(dense(c)) + 0.1 c`.
        residual_posterior: posterior mean and stddev are the prior's plus a learned difference.
        initial_stddev: what the stddev layers give before training; about 0.7 by default.
    """

    def __init__(
        self,
        stoch: int,
        deter: int,
        embed: int,
        min_stddev: float,
        mean_only: bool,
        residual_context: bool,
        residual_posterior: bool,
        initial_stddev: float | None = None,
        **kwargs,
    ):
        # The recurrence is small and accumulates rounding over hundreds of ticks, so it stays in
        # float32 under mixed precision.
        super().__init__(dtype="float32", **kwargs)
        self.stoch, self.deter, self.embed = stoch, deter, embed
        self.min_stddev, self.mean_only = min_stddev, mean_only
        self.residual_posterior = residual_posterior

        def dense(units: int, name: str, activation: str | None = None, bias: float = 0.0) -> Any:
            return layers.Dense(
                units,
                activation=activation,
                bias_initializer=initializers.Constant(bias),
                name=name,
                dtype="float32",
            )

        spread = 0.0 if initial_stddev is None else math.log(math.expm1(initial_stddev))

        self.context_dense = dense(stoch + deter, "context", "relu") if residual_context else None
        # These hold weights in Keras' form; what is made of them is `Recurrence`.
        self.prior_input = dense(embed, "prior_input")
        self.gru = layers.GRUCell(deter, reset_after=True, name="gru", dtype="float32")
        self.prior_hidden = dense(embed, "prior_hidden")
        self.prior_mean = dense(stoch, "prior_mean")
        self.prior_stddev = dense(stoch, "prior_stddev", bias=spread)
        self.posterior_input = dense(embed, "posterior_input")
        self.posterior_hidden = dense(embed, "posterior_hidden")
        self.posterior_mean = dense(stoch, "posterior_mean")
        self.posterior_stddev = dense(stoch, "posterior_stddev", bias=spread)

    def build(self, context_shape: tuple, features_shape: tuple) -> None:
        context_size, feature_size = context_shape[-1], features_shape[-1]
        if self.context_dense is not None:
            self.context_dense.build((None, None, context_size))
        self.prior_input.build((None, self.stoch + context_size))
        self.gru.build((None, self.embed))
        self.posterior_input.build((None, self.deter + feature_size))
        self.prior_hidden.build((None, self.deter))
        for layer in (
            self.prior_mean,
            self.prior_stddev,
            self.posterior_hidden,
            self.posterior_mean,
            self.posterior_stddev,
        ):
            layer.build((None, self.embed))

    def zero_state(self, batch: tf.Tensor | int) -> State:
        return State(tf.zeros((batch, self.stoch)), tf.zeros((batch, self.deter)))

    def compute_output_shape(self, context_shape: tuple, features_shape: tuple) -> tuple:
        """Of the output for the level below, over any number of ticks."""
        return *context_shape[:-1], self.stoch + self.deter

    def unroll(
        self,
        context: tf.Tensor,
        features: tf.Tensor | None,
        noise: tf.Tensor,
        state: State,
        keep_sample: tf.Tensor | None = None,
        observed: tf.Tensor | None = None,
    ) -> tuple[LevelStates, State]:
        """Runs the cell over all ticks of `context`.

        Args:
            context: `(batch, ticks, stoch + deter)` from the level above; zeros at the top.
            features: `(batch, ticks, F)` observations, or `None` to follow the prior.
            noise: `(batch, ticks, stoch)`, standard normal.
            state: before the first tick.
            keep_sample: `(ticks,)` mask; where it is 0 the previous sample is forgotten.
            observed: `(batch, ticks)` mask; where it is 0 the posterior is the prior in spite of
                `features`.

        Returns:
            The states of all ticks, and the last one to go on from.
        """
        from_sample, from_context = _split_rows(self.prior_input, self.stoch)
        from_deter, from_features = _split_rows(self.posterior_input, self.deter)
        if self.context_dense is not None:
            context = self.context_dense(context) + RESIDUAL_SCALE * context
        prior_input = tf.tensordot(context, from_context, axes=1) + self.prior_input.bias
        posterior_input = None
        if features is not None:
            features = tf.cast(features, tf.float32)
            posterior_input = tf.tensordot(features, from_features, axes=1)
            posterior_input = _swap_time(posterior_input + self.posterior_input.bias)
        inputs = Inputs(
            prior=_swap_time(prior_input),
            noise=_swap_time(noise),
            posterior=posterior_input,
            keep=None if keep_sample is None else keep_sample[:, None, None],
            observed=None if observed is None else _swap_time(observed[:, :, None]),
        )
        level = Recurrence(self.min_stddev, self.mean_only, self.residual_posterior)
        weights = self._tick_weights(from_sample, from_deter)
        deter = level.states(weights, inputs, state.sample, state.deter)
        prior = level.prior(weights, deter)
        posterior = level.posterior(weights, deter, inputs, prior)
        sample = level.draw(posterior, inputs)
        parameters = (prior.loc, prior.scale, posterior.loc, posterior.scale)
        states = LevelStates(*(_swap_time(x) for x in (*parameters, sample, deter)))
        return states, State(sample[-1], deter[-1])

    def _tick_weights(self, from_sample: tf.Tensor, from_deter: tf.Tensor) -> Weights:
        prior_heads = _merged_heads(self.prior_mean, self.prior_stddev)
        posterior_heads = _merged_heads(self.posterior_mean, self.posterior_stddev)
        values = (
            from_sample,
            self.gru.kernel,
            self.gru.recurrent_kernel,
            self.gru.bias,
            self.prior_hidden.kernel,
            self.prior_hidden.bias,
            *prior_heads,
            from_deter,
            self.posterior_hidden.kernel,
            self.posterior_hidden.bias,
            *posterior_heads,
        )
        return Weights(*map(tf.convert_to_tensor, values))


def _split_rows(dense: layers.Dense, first: int) -> list[tf.Tensor]:
    """The kernel's shares of the first inputs and of all others."""
    kernel = tf.convert_to_tensor(dense.kernel)
    return tf.split(kernel, (first, kernel.shape[0] - first))


def _merged_heads(mean: layers.Dense, stddev: layers.Dense) -> tuple[tf.Tensor, tf.Tensor]:
    """Kernel and bias of both heads side by side: one product instead of two in every tick."""
    shift = STDDEV_SHIFT * tf.reduce_sum(stddev.kernel, axis=0)  # stddev reads y + 0.54
    kernel = tf.concat([mean.kernel, stddev.kernel], axis=1)
    return kernel, tf.concat([mean.bias, stddev.bias + shift], axis=0)


def _swap_time(x: tf.Tensor) -> tf.Tensor:
    """Batch-major to time-major, or back."""
    return tf.transpose(x, (1, 0, 2))
