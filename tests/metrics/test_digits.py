"""The metric that reads digits."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from hvp.config import load_config
from hvp.data.sources.moving_mnist import render
from hvp.data.stored_videos import fit_frames
from hvp.digits import embedded_digits, embedded_labels
from hvp.metrics.digits import digit, read_digits


@pytest.fixture(scope="module", params=[40, 64])
def frames(request):
    """The test digits somewhere on 32x32 frames, float32 `(n, 32, 32, 1)`."""
    config = load_config("demo").data
    draws = np.random.default_rng(0).uniform(size=(297, 3))
    drawn = [
        fit_frames(render(image[None], draw[None], 1, request.param), config)[0]
        for image, draw in zip(embedded_digits("test"), draws, strict=True)
    ]
    return np.stack(drawn).astype(np.float32) / 255


def test_most_digits_are_read_rightly(frames):
    right = read_digits(tf.constant(frames)).numpy() == embedded_labels("test")
    assert right.mean() > 0.94


def test_a_digit_counts_where_it_is_kept(frames):
    true, other = frames[:6], frames[6:12]
    kept = digit(tf.constant(true), tf.constant(np.stack([true, 0.4 * true, other])))
    expected = embedded_labels("test")[:6] == embedded_labels("test")[6:12]
    np.testing.assert_array_equal(kept[:2], np.ones((2, 6)))  # faint digits are read as well
    np.testing.assert_array_equal(kept[2], expected)
    assert not expected.all()
    with pytest.raises(ValueError, match="digit has no convention 'x'"):
        digit(tf.constant(true), tf.constant(true), convention="x")


def test_nothing_to_read_is_no_error():
    assert read_digits(tf.zeros((2, 3, 32, 32, 1))).shape == (2, 3)
