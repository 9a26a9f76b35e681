"""What saves time and memory changes no number: stages computed anew, videos as frames."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.layers import winograd
from hvp.layers.recompute import inputs_only
from hvp.losses.adversarial import r1_penalty
from hvp.models.motion_gan.convolutions import convolve, convolve_doubling
from hvp.models.motion_gan.discriminators import Discriminator
from hvp.models.motion_gan.generator import Renderer

WIDTHS = {4: 4, 8: 3, 16: 2}


def set_weights(*layers):
    """The same random weights for all of these."""
    rng = np.random.default_rng(0)
    values = [rng.normal(size=weight.shape) for weight in layers[0].weights]
    for layer in layers:
        layer.set_weights(values)


def assert_same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * np.abs(b).max())


@pytest.mark.parametrize("patch", [pytest.param(True, marks=pytest.mark.slow), False])
def test_recomputing_discriminators_changes_no_number(patch):
    """Scores, the weights' gradient and the R1 penalty's."""
    arguments = {"size": 16, "widths": WIDTHS, "frames": 4, "patch": patch}
    networks = [Discriminator(**arguments, recompute_from=size) for size in (0, 8)]
    for network in networks:
        network.build()
    set_weights(*networks)
    videos = np.random.default_rng(1).normal(size=(3, 4, 16, 16, 3)).astype(np.float32)
    results = []
    for network in networks:
        with tf.GradientTape(persistent=True) as tape:
            scores = network(tf.constant(videos))
            with inputs_only():
                penalty = r1_penalty(network, tf.constant(videos))
        gradients = tape.gradient([scores, penalty], network.trainable_variables)
        results.append([scores, penalty, *gradients])
    assert results[0][1] > 1e-5
    assert_same(results[1], results[0])


def test_discriminators_recompute_in_bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        networks = [Discriminator(8, WIDTHS, recompute_from=size) for size in (0, 8)]
        for network in networks:
            network.build()
    finally:
        keras.config.set_dtype_policy("float32")
    set_weights(*networks)
    frames = tf.constant(np.random.default_rng(1).normal(size=(3, 8, 8, 3)), tf.float32)
    results = []
    for network in networks:
        with tf.GradientTape() as tape:
            scores = network(frames)
        assert scores.dtype == tf.bfloat16
        results.append([scores, *tape.gradient(scores, network.trainable_variables)])
    for a, b in zip(*results, strict=True):
        a, b = tf.cast(a, tf.float32), tf.cast(b, tf.float32)
        assert float(tf.norm(a - b)) <= 0.02 * float(tf.norm(b))


def test_recomputing_the_renderer_changes_no_number():
    renderers = [Renderer(16, WIDTHS, 3, recompute_from=size) for size in (0, 8)]
    for renderer in renderers:
        renderer.build((None, 5))
    set_weights(*renderers)
    style = tf.constant(np.random.default_rng(1).normal(size=(3, 5)), tf.float32)
    results = []
    for renderer in renderers:
        with tf.GradientTape() as tape:
            tape.watch(style)
            frames = renderer(style, [tf.convert_to_tensor(n) for n in renderer.noises])
        variables = [style, *renderer.trainable_variables]
        results.append([frames, *tape.gradient(frames, variables)])
    assert_same(results[1], results[0])


@pytest.mark.parametrize(
    ("lengths", "strides", "blur"),
    [
        ((32, 32), (1, 1), False),
        ((64, 64), (2, 2), True),
        ((4, 16, 16), (1, 1, 1), False),
        ((7, 32, 32), (2, 2, 2), True),
        ((4, 32, 32), (1, 2, 2), True),
        ((16, 16), None, True),  # doubling
    ],
)
def test_fewer_multiplications_change_no_number(monkeypatch, lengths, strides, blur):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(2 if strides else 4, *lengths, 64)), tf.float32)
    kernel = rng.normal(size=(*(3,) * len(lengths), 64, 64)) / 24.0
    kernel = tf.constant(kernel, tf.float32)

    def run():
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            y = convolve(x, kernel, strides, blur) if strides else convolve_doubling(x, kernel)
            loss = tf.reduce_sum(tf.sin(y))
        return [y, *tape.gradient(loss, (x, kernel))]

    taken = []
    products = winograd.convolve
    monkeypatch.setattr(winograd, "convolve", lambda *a, **k: taken.append(1) or products(*a, **k))
    actual = run()
    assert taken
    monkeypatch.setattr(winograd, "pays", lambda *arguments: False)
    for a, b in zip(actual, run(), strict=True):
        np.testing.assert_allclose(a, b, atol=3e-5 * np.abs(b).max())


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("length", [4, 5])
def test_videos_are_convolved_in_time(stride, length):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(2, length, 6, 6, 3)), tf.float32)
    kernel = tf.constant(rng.normal(size=(3, 1, 1, 3, 4)), tf.float32)
    pad = (0, 2) if stride == 2 else (1, 1)
    padded = tf.pad(x, ((0, 0), pad, (0, 0), (0, 0), (0, 0)))
    expected = tf.nn.conv3d(padded, kernel, (1, stride, 1, 1, 1), "VALID")
    np.testing.assert_allclose(convolve(x, kernel, (stride, 1, 1)), expected, rtol=1e-4, atol=1e-5)


def test_gradients_of_videos_in_bfloat16_are_finite():
    """TensorFlow's own gradient of a 3-D convolution's kernel is not."""
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(2, 4, 8, 8, 64)), tf.bfloat16)
    kernel = tf.constant(rng.normal(size=(3, 3, 3, 64, 64)) / 40.0, tf.bfloat16)

    def gradient(dtype):
        with tf.GradientTape() as tape:
            weights = tf.cast(kernel, dtype)
            tape.watch(weights)
            loss = tf.reduce_sum(tf.square(convolve(tf.cast(x, dtype), weights, (2, 2, 2), True)))
        return tf.cast(tape.gradient(loss, weights), tf.float32)

    exact = gradient(tf.float32)
    assert float(tf.norm(gradient(tf.bfloat16) - exact) / tf.norm(exact)) < 0.02
