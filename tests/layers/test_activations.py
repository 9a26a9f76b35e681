import numpy as np
import pytest
import tensorflow as tf

from hvp.layers import activations


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("ours", "plain"),
    [
        (lambda x: activations.leaky_relu(x, 0.2), lambda x: tf.maximum(x, 0.2 * x)),
        (activations.swish, lambda x: x * tf.sigmoid(x)),
        (activations.mish, lambda x: x * tf.tanh(tf.nn.softplus(x))),
    ],
    ids=["leaky_relu", "swish", "mish"],
)
def test_values_and_gradients(ours, plain, dtype):
    values = tf.random.stateless_normal((500,), (0, 1)) * 3
    results = []
    for function, kind in ((ours, dtype), (plain, "float64")):
        x = tf.cast(values, kind)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        results.append([y, tape.gradient(y, x)])
    for a, b in zip(*results, strict=True):
        assert a.dtype == dtype
        tolerance = 1e-6 if dtype == "float32" else 2e-2
        np.testing.assert_allclose(tf.cast(a, tf.float32), b, rtol=tolerance, atol=tolerance)


def test_mish_far_from_zero():
    x = tf.constant([-1e4, -90.0, -20.0, 20.0, 90.0, 1e4])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = activations.mish(x)
    np.testing.assert_allclose(y, [0.0, 0.0, -20 * np.exp(-20.0), 20.0, 90.0, 1e4], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(y, x), [0, 0, 0, 1, 1, 1], atol=1e-7)
