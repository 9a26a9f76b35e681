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
    ],
    ids=["leaky_relu", "swish"],
)
def test_values_and_gradients(ours, plain, dtype):
    values = tf.random.stateless_normal((500,), (0, 1)) * 3
    results = []
    for function, kind in ((ours, dtype), (plain, "float32")):
        x = tf.cast(values, kind)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        results.append([y, tape.gradient(y, x)])
    for a, b in zip(*results, strict=True):
        assert a.dtype == dtype
        tolerance = 1e-6 if dtype == "float32" else 2e-2
        np.testing.assert_allclose(tf.cast(a, tf.float32), b, rtol=tolerance, atol=tolerance)
