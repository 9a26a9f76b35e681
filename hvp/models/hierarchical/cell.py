"""One level: a recurrent state-space model whose posterior is the prior plus a residual."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import tensorflow as tf
from keras import initializers, layers

from hvp.models.hierarchical.encoder import RESIDUAL_SCALE
from hvp.models.hierarchical.latent import Latent

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
        return Latent(self.prior_mean, self.prior_stddev)

    @property
    def posterior(self) -> Latent:
        """The same with the tick's observation; the one that `sample` was drawn from."""
        return Latent(self.posterior_mean, self.posterior_stddev)

    @property
    def output(self) -> tf.Tensor:
        """Context of the level below: `(batch, ticks, stoch + deter)`."""
        return tf.concat([self.sample, self.deter], axis=-1)


class RecurrentCell(layers.Layer):
    """The state-space model of one level, unrolled over its own ticks.

    Whatever does not depend on the previous tick (the context's and the observations' share of
    each dense layer) is computed for all ticks at once, outside the loop.

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
        self.prior_input = dense(embed, "prior_input")
        self.gru = layers.GRUCell(deter, reset_after=True, name="gru", dtype="float32")
        self.prior_hidden = dense(embed, "prior_hidden", "relu")
        self.prior_mean = dense(stoch, "prior_mean")
        self.prior_stddev = dense(stoch, "prior_stddev", bias=spread)
        self.posterior_input = dense(embed, "posterior_input")
        self.posterior_hidden = dense(embed, "posterior_hidden", "relu")
        self.posterior_mean = dense(stoch, "posterior_mean")
        self.posterior_stddev = dense(stoch, "posterior_stddev", bias=spread)

    def build(self, context_shape: tuple, features_shape: tuple) -> None:
        context_size, feature_size = context_shape[-1], features_shape[-1]
        if self.context_dense is not None:
            self.context_dense.build((None, None, context_size))
        self.prior_input.build((None, self.stoch + context_size))
        self.gru.build((None, self.embed))
        self.posterior_input.build((None, self.deter + feature_size))
        for layer in (self.prior_hidden,):
            layer.build((None, self.deter))
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
        ticks = context.shape[1]
        inputs = self._loop_inputs(context, features, noise, keep_sample, observed)
        sample_kernel = self.prior_input.kernel[: self.stoch]
        deter_kernel = self.posterior_input.kernel[: self.deter]
        prior_heads = _merged_heads(self.prior_mean, self.prior_stddev)
        posterior_heads = _merged_heads(self.posterior_mean, self.posterior_stddev)

        def tick(t: tf.Tensor, state: State) -> LevelStates:
            sample = state.sample
            if keep_sample is not None:
                sample = sample * inputs["keep"].read(t)
            x = tf.nn.relu(tf.matmul(sample, sample_kernel) + inputs["prior"].read(t))
            deter, _ = self.gru(x, [state.deter])
            mean, stddev = _mean_and_stddev(self.prior_hidden(deter), prior_heads)
            prior = posterior = Latent(mean, stddev + self.min_stddev)
            if features is not None:
                y = tf.nn.relu(tf.matmul(deter, deter_kernel) + inputs["posterior"].read(t))
                y = self.posterior_hidden(y)
                posterior = self._posterior(prior, *_mean_and_stddev(y, posterior_heads))
                if observed is not None:
                    posterior = posterior.where(inputs["observed"].read(t) > 0, prior)
            noise = inputs["noise"].read(t)
            sample = posterior.loc if self.mean_only else posterior.from_noise(noise)
            parameters = (prior.loc, prior.scale.diag, posterior.loc, posterior.scale.diag)
            return LevelStates(*parameters, sample, deter)

        return _scan(tick, state, ticks)

    def _posterior(self, prior: Latent, mean: tf.Tensor, stddev: tf.Tensor) -> Latent:
        """From what the posterior's heads give: the prior's difference from it, or all of it."""
        if self.residual_posterior:
            return Latent(prior.loc + mean, prior.scale.diag + stddev)
        return Latent(mean, stddev + self.min_stddev)

    def _loop_inputs(
        self,
        context: tf.Tensor,
        features: tf.Tensor | None,
        noise: tf.Tensor,
        keep_sample: tf.Tensor | None,
        observed: tf.Tensor | None,
    ) -> dict[str, tf.TensorArray]:
        """What the ticks of `unroll` read, none of which depends on the tick before."""
        if self.context_dense is not None:
            context = self.context_dense(context) + RESIDUAL_SCALE * context
        ticks = context.shape[1]
        inputs = {
            "prior": _partial_dense(self.prior_input, context, first_row=self.stoch),
            "noise": noise,
        }
        if features is not None:
            features = tf.cast(features, tf.float32)
            inputs["posterior"] = _partial_dense(
                self.posterior_input, features, first_row=self.deter
            )
        if keep_sample is not None:
            inputs["keep"] = tf.broadcast_to(keep_sample[None, :, None], (1, ticks, 1))
        if observed is not None:
            inputs["observed"] = observed[:, :, None]
        return {key: _time_major_array(value, ticks) for key, value in inputs.items()}


def _partial_dense(dense: layers.Dense, x: tf.Tensor, first_row: int) -> tf.Tensor:
    """The share of `dense` that comes from its inputs `first_row:`, bias included."""
    return tf.tensordot(x, dense.kernel[first_row:], axes=1) + dense.bias


def _merged_heads(mean: layers.Dense, stddev: layers.Dense) -> tuple[tf.Tensor, tf.Tensor]:
    """Kernel and bias of both heads side by side: one product instead of two in every tick."""
    shift = STDDEV_SHIFT * tf.reduce_sum(stddev.kernel, axis=0)  # stddev reads y + 0.54
    kernel = tf.concat([mean.kernel, stddev.kernel], axis=1)
    return kernel, tf.concat([mean.bias, stddev.bias + shift], axis=0)


def _mean_and_stddev(y: tf.Tensor, heads: tuple[tf.Tensor, tf.Tensor]) -> list[tf.Tensor]:
    kernel, bias = heads
    mean, raw = tf.split(tf.matmul(y, kernel) + bias, 2, axis=-1)
    return [mean, tf.nn.softplus(raw)]


def _time_major_array(x: tf.Tensor, ticks: int) -> tf.TensorArray:
    """`(batch, ticks, width)` as an array of `ticks` tensors `(batch, width)`."""
    return tf.TensorArray(x.dtype, size=ticks, clear_after_read=False).unstack(
        tf.transpose(x, (1, 0, 2))
    )


def _scan(tick, state: State, ticks: int) -> tuple[LevelStates, State]:
    """Runs `tick(t, state) -> LevelStates` for all t and stacks the results batch-major."""
    widths = (*(state.sample.shape[-1],) * 5, state.deter.shape[-1])
    arrays = LevelStates(
        *(
            tf.TensorArray(tf.float32, size=ticks, element_shape=(state.sample.shape[0], width))
            for width in widths
        )
    )

    def body(t, state, arrays):
        now = tick(t, state)
        arrays = LevelStates(*(a.write(t, v) for a, v in zip(arrays, now, strict=True)))
        return t + 1, State(now.sample, now.deter), arrays

    _, state, arrays = tf.while_loop(
        lambda t, *_: t < ticks,
        body,
        (tf.constant(0), state, arrays),
        maximum_iterations=ticks,
    )
    stacked = (tf.transpose(a.stack(), (1, 0, 2)) for a in arrays)  # (batch, ticks, width)
    return LevelStates(*stacked), state
