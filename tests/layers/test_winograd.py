"""Winograd's convolutions against direct summation in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.layers import toom_cook, winograd
from hvp.layers.convolution import Convolution, TransposedConvolution

BLUR = np.array([1.0, 3.0, 3.0, 1.0]) / 8.0


def random(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def blurred(length):
    """`(length + 1, length)`: two zeros on either side, then `BLUR`."""
    padded = np.eye(length + 4)[:, 2:-2]
    return np.stack([BLUR @ padded[i : i + 4] for i in range(length + 1)])


def banded(axis_matrix, x, axis):
    """Applies a matrix along an axis."""
    moved = tf.tensordot(tf.constant(axis_matrix, x.dtype), x, [[1], [axis]])
    return tf.transpose(moved, [*range(1, axis + 1), 0, *range(axis + 1, x.shape.rank)])


def same(*lengths):
    def direct(x, kernel):
        if len(lengths) == 1:
            return tf.nn.conv1d(x, kernel, 1, "SAME")
        convolve = tf.nn.conv2d if len(lengths) == 2 else tf.nn.conv3d
        return convolve(x, kernel, [1] * x.shape.rank, "SAME")

    return [toom_cook.same(length) for length in lengths], direct


def halved(*lengths, stride=None):
    """Height and width blurred and halved; time, if there is any, by `stride`."""
    axes = [toom_cook.halved(blurred(length)) for length in lengths[-2:]]
    if stride:
        axes.insert(0, toom_cook.direct(lengths[0], 3, stride, before=2 - stride))

    def direct(x, kernel):
        for axis in (x.shape.rank - 3, x.shape.rank - 2):
            x = banded(blurred(x.shape[axis]), x, axis)
        if not stride:
            return tf.nn.conv2d(x, kernel, 2, "VALID")
        behind = 1 if stride == 1 else 2
        x = tf.pad(x, ((0, 0), (2 - stride, behind), (0, 0), (0, 0), (0, 0)))
        return tf.nn.conv3d(x, kernel, (1, stride, 2, 2, 1), "VALID")

    return axes, direct


CASES = {
    "line": (same(12), (12,)),
    "frames": (same(8, 12), (8, 12)),
    "videos": (same(4, 8, 12), (4, 8, 12)),
    "frames, halved": (halved(8, 16), (8, 16)),
    "videos, halved": (halved(6, 8, 16, stride=2), (6, 8, 16)),
    "videos of an odd length, halved": (halved(5, 8, 16, stride=2), (5, 8, 16)),
    "videos, halved but in time": (halved(3, 8, 16, stride=1), (3, 8, 16)),
}
cases = pytest.mark.parametrize(("way", "lengths"), CASES.values(), ids=list(CASES))
ONE_AT_A_TIME = {"videos", "videos, halved"}


def doubled(function, x, kernel):
    """Values, gradients, and gradients of something made of these."""
    with tf.GradientTape() as second:
        second.watch((x, kernel))
        with tf.GradientTape() as first:
            first.watch((x, kernel))
            y = function(x, kernel)
            loss = tf.reduce_sum(tf.sin(y))
        gradients = first.gradient(loss, (x, kernel))
        loss = sum(tf.reduce_sum(tf.sin(gradient / 8.0)) for gradient in gradients)
    return [y, *gradients, *second.gradient(loss, (x, kernel))]


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_those_of_direct_summation(monkeypatch, case):
    if case in ONE_AT_A_TIME:  # of the batch's examples
        monkeypatch.setattr(winograd, "ELEMENTS_AT_ONCE", 1)
    (axes, direct), lengths = CASES[case]
    x = random((3, *lengths, 8), 0)
    kernel = random((*(3,) * len(lengths), 8, 5), 1) / 3 ** len(lengths)
    exact = doubled(direct, tf.constant(x, tf.float64), tf.constant(kernel, tf.float64))
    actual = tf.function(doubled, autograph=False)(
        lambda x, kernel: winograd.convolve(x, kernel, axes), tf.constant(x), tf.constant(kernel)
    )
    for a, b in zip(actual, exact, strict=True):
        # Rounding, some five times direct summation's, here through up to three of these.
        np.testing.assert_allclose(a, b, atol=3e-5 * np.abs(b).max())


@cases
def test_transposed_is_the_gradient(way, lengths):
    axes, direct = way
    kernel = tf.constant(random((*(3,) * len(lengths), 4, 6), 1))
    x = tf.zeros((2, *lengths, 4))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = direct(x, kernel)
    upstream = tf.constant(random(y.shape, 2))
    expected = tape.gradient(y, x, upstream)
    actual = winograd.convolve(upstream, kernel, axes, transposed=True)
    np.testing.assert_allclose(actual, expected, atol=3e-5 * np.abs(expected).max())


def test_nothing_but_the_arguments_is_kept_for_the_gradient():
    x, kernel = tf.random.normal((4, 32, 32, 64)), tf.random.normal((3, 3, 64, 64))
    axes, _ = same(32, 32)

    def memory():
        return tf.config.experimental.get_memory_info("CPU:0")["current"]

    try:
        before = memory()
    except ValueError:
        pytest.skip("TensorFlow counts memory only where oneDNN allocates it")
    with tf.GradientTape() as tape:
        tape.watch((x, kernel))
        y = winograd.convolve(x, kernel, axes)
    size = np.prod(y.shape) * 4
    assert memory() - before < 1.5 * size  # the result's own
    assert tape.gradient(y, kernel).shape == kernel.shape


@pytest.mark.parametrize(
    ("channels", "filters", "batch", "outputs", "pays"),
    [
        (64, 64, 1, (64, 64), True),
        (64, 64, 1, (8, 32, 32), True),
        (64, 64, 16, (8, 8), True),
        (64, 64, None, (8, 8), False),  # too few tiles
        (64, 3, 1, (64, 64), False),  # too few filters
        (64, 64, 1, (66, 66), False),  # tiles do not fit
    ],
)
def test_taken_where_it_pays(monkeypatch, channels, filters, batch, outputs, pays):
    assert winograd.pays(channels, filters, batch, outputs) is pays
    gpu = type("Device", (), {"device_type": "GPU"})
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda: [gpu])
    assert not winograd.pays(channels, filters, batch, outputs)


@pytest.mark.parametrize(
    "layer",
    [Convolution(6, 3), Convolution(6, 3, bias=False), TransposedConvolution(6, 3, 1)],
    ids=["plain", "no bias", "transposed"],
)
def test_layers_whose_convolution_is_wide(layer, monkeypatch):
    """The same numbers and gradients either way."""
    x = tf.constant(random((2, 8, 12, 5), 0))
    found = []
    for wide in (winograd.WIDE, 30):
        monkeypatch.setattr(winograd, "WIDE", wide)
        monkeypatch.setattr(winograd, "pays", lambda *_: True)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.function(layer, autograph=False)(x)
        weights = [weight.value for weight in layer.trainable_variables]
        found.append([y, *tape.gradient(y, [x, *weights], tf.sin(y))])
    for direct, fewer in zip(*found, strict=True):
        assert np.any(direct != fewer)  # rounded in another way
        np.testing.assert_allclose(fewer, direct, atol=2e-5 * np.abs(direct).max())


def test_a_seed_gives_the_same_initial_values_either_way(monkeypatch):
    """Keras draws anew for each look at a value before it is there."""
    monkeypatch.setattr(winograd, "pays", lambda *_: True)
    values = []
    for wide in (winograd.WIDE, 30):
        monkeypatch.setattr(winograd, "WIDE", wide)
        keras.utils.set_random_seed(0)
        layers = [TransposedConvolution(6, 3, 1), Convolution(6, 3)]
        stack = keras.Sequential(layers)
        stack(random((1, 8, 8, 5), 0))
        values.append(stack.get_weights())
    for direct, fewer in zip(*values, strict=True):
        np.testing.assert_array_equal(fewer, direct)


def test_narrow_convolutions_and_low_precision_are_left_to_tensorflow():
    def taken(x, *kernel_shape):
        return winograd.same_axes(x, kernel_shape, winograd.WIDE) is not None

    wide = tf.zeros((1, 32, 32, 512))
    assert taken(wide, 3, 3, 512, 256)
    assert not taken(wide[..., :256], 3, 3, 256, 256)
    assert not taken(wide[:, :30], 3, 3, 512, 256)
    assert not taken(wide, 5, 5, 512, 256)
    assert not taken(tf.cast(wide, tf.bfloat16), 3, 3, 512, 256)
