"""The recurrence's own gradient is the one that TensorFlow derives from its arithmetic."""

import numpy as np
import pytest
import tensorflow as tf

from hvp.models.hierarchical.recurrence import Inputs, Recurrence, Weights

TICKS, BATCH, STOCH, DETER, EMBED = 6, 2, 3, 5, 4
WEIGHTS = {
    "prior_input": (STOCH, EMBED),
    "gru_kernel": (EMBED, 3 * DETER),
    "gru_recurrent": (DETER, 3 * DETER),
    "gru_bias": (2, 3 * DETER),
    "prior_hidden": (DETER, EMBED),
    "prior_hidden_bias": (EMBED,),
    "prior_heads": (EMBED, 2 * STOCH),
    "prior_heads_bias": (2 * STOCH,),
    "posterior_input": (DETER, EMBED),
    "posterior_hidden": (EMBED, EMBED),
    "posterior_hidden_bias": (EMBED,),
    "posterior_heads": (EMBED, 2 * STOCH),
    "posterior_heads_bias": (2 * STOCH,),
}


def one_by_one(level, weights, inputs, sample, deter):
    states = []
    for t in range(inputs.prior.shape[0]):
        now = Inputs(*(None if x is None else x[t] for x in inputs))
        deter = level.advance(weights, deter, sample, now)
        sample = level.sample(weights, deter, now)
        states.append(deter)
    return tf.stack(states)


def differentiate(states, arguments, target):
    sources = [x for x in tf.nest.flatten(arguments) if x is not None]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        y = states(*arguments)
        loss = tf.reduce_sum(y * target + y * y)
    return y, tape.gradient(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)


@pytest.mark.parametrize("ticks", [1, TICKS])
@pytest.mark.parametrize(
    ("features", "masks", "residual", "mean_only"),
    [
        (True, False, True, False),
        (True, True, True, False),
        (True, False, False, True),
        (False, False, True, False),
    ],
)
def test_gradient_of_everything_that_the_ticks_read(ticks, features, masks, residual, mean_only):
    rng = np.random.default_rng(0)

    def draw(*shape):
        return tf.constant(0.5 * rng.normal(size=shape), tf.float32)

    weights = Weights(**{name: draw(*shape) for name, shape in WEIGHTS.items()})
    inputs = Inputs(
        prior=draw(ticks, BATCH, EMBED),
        noise=draw(ticks, BATCH, STOCH),
        posterior=draw(ticks, BATCH, EMBED) if features else None,
        keep=tf.cast(tf.range(ticks) % 2, tf.float32)[:, None, None] if masks else None,
        observed=tf.round(tf.sigmoid(draw(ticks, BATCH, 1))) if masks else None,
    )
    level = Recurrence(min_stddev=1e-4, mean_only=mean_only, residual_posterior=residual)
    arguments = (weights, inputs, draw(BATCH, STOCH), draw(BATCH, DETER))
    target = draw(ticks, BATCH, DETER)
    expected = differentiate(lambda *arguments: one_by_one(level, *arguments), arguments, target)
    actual = tf.function(differentiate, autograph=False)(level.states, arguments, target)
    for a, b in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6 * max(1.0, np.abs(b).max()))
