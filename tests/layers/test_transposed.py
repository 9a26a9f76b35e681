import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.layers.transposed import DoublingConvolution


@pytest.mark.parametrize(
    ("size", "channels", "filters", "kernel"),
    [
        (1, 7, 3, 5),  # a single pixel
        (5, 4, 6, 5),  # many filters
        (5, 4, 2, 6),  # few filters, in blocks
        (4, 3, 1, 4),
        (4, 3, 1, 5),  # few, and an odd kernel
    ],
)
def test_outputs_gradients_and_variables_are_those_of_keras(size, channels, filters, kernel):
    ours = DoublingConvolution(filters, kernel, activation="tanh", name="layer")
    theirs = keras.layers.Conv2DTranspose(filters, kernel, 2, activation="tanh", name="layer")
    x = tf.random.stateless_normal((2, size, size, channels), (0, 1))
    results = []
    for layer in (ours, theirs):
        layer.build(x.shape)
        layer.bias.assign(tf.range(filters, dtype=tf.float32) / 10)
        layer.kernel.assign(tf.random.stateless_normal(layer.kernel.shape, (2, 3)) / 4)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y**3)
        results.append([y, *tape.gradient(loss, [x, *layer.trainable_variables])])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(b).max())
    assert [(v.path, v.shape) for v in ours.weights] == [(v.path, v.shape) for v in theirs.weights]
    assert ours.compute_output_shape(x.shape) == results[0][0].shape


def test_its_configuration_makes_it_again():
    layer = DoublingConvolution(3, 5, activation="relu", name="layer")
    again = DoublingConvolution.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    with pytest.raises(TypeError, match="use_bias"):
        DoublingConvolution(3, 5, use_bias=False)
