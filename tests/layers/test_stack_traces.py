"""The places that operations keep, which TensorFlow would keep down to its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import pytest
import tensorflow as tf

import hvp.models.base  # noqa: F401  # mends stack traces

PACKAGES = [str(Path(package.__file__).parent) for package in (tf, keras)]


def places(layer: keras.layers.Layer) -> list[str]:
    """Files of the stack that made an operation within a Keras layer."""
    found = []

    @tf.function(autograph=False)
    def run(x):
        y = layer(x)
        found.extend(frame.filename for frame in y.op.traceback)
        return y

    run(tf.zeros((1, 2)))
    return found


def check_own_places_only(found):
    assert __file__ in found
    assert not [file for file in found if file.startswith(tuple(PACKAGES))]


def test_operations_keep_own_places_only():
    check_own_places_only(places(keras.layers.ReLU()))


def test_in_other_threads_too():
    with ThreadPoolExecutor(1) as other:
        check_own_places_only(other.submit(places, keras.layers.ReLU()).result())


def test_with_autograph():
    found = []

    @tf.function
    def run(x):
        if tf.reduce_sum(x) > 1.0:  # converted
            x = x * 2.0
        y = tf.nn.relu(x)
        found.extend(frame.filename for frame in y.op.traceback)
        return y

    assert run(tf.ones(2)).numpy().tolist() == [2.0, 2.0]
    check_own_places_only(found)


def test_errors_name_the_place():
    @tf.function(autograph=False)
    def run(x):
        return tf.debugging.check_numerics(1.0 / x, "of one")

    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        run(tf.zeros(1))
    assert f'File "{__file__}"' in str(raised.value)
    assert "of one" in str(raised.value)
