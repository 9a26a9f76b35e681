"""Frames in 8 bits: one conversion, equal to each that it took the place of."""

import numpy as np
import pytest
import tensorflow as tf

from hvp.pixels import to_uint8


def test_values_are_clipped_and_half_levels_go_to_even():
    frames = np.array([-1e9, -0.001, 0.5 / 255, 1 / 255, 1.5 / 255, 2.5 / 255, 1.0, 1.7, np.inf])
    np.testing.assert_array_equal(to_uint8(frames), [0, 0, 0, 1, 2, 2, 255, 255, 255])
    assert to_uint8(frames).dtype == np.uint8


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_every_level_comes_back(kind):
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_uint8(levels.astype(kind) / kind(255)), levels)
    as_read = tf.cast(levels, tf.float32) / 255.0  # what the data sets give
    np.testing.assert_array_equal(to_uint8(as_read), levels)


def test_levels_of_sixteen():
    """The embedded digits were multiplied by 255 / 16 once; dividing by 16 first is exact too."""
    levels = np.arange(17, dtype=np.uint8)
    np.testing.assert_array_equal(to_uint8(levels / 16), np.rint(levels * (255 / 16)))
