"""Definitions of functions, which TensorFlow would keep for good once they were called."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager.polymorphic_function.atomic_function import AtomicFunction

import hvp.models.base  # noqa: F401  # mends calls
from hvp.layers.definitions import OUTLINE


@tf.function(autograph=False, experimental_attributes={"_noinline": True})
def inner(x):
    return tf.nn.tanh(x) + 1.0


@tf.function(autograph=False)
def outer(x):
    return inner(inner(x)) * 2.0


def kept(concrete):
    function = concrete._inference_function
    return function._cached_definition, getattr(function, OUTLINE)


def test_outlines_are_kept():
    x = tf.constant([0.5, -1.0])
    expected = 2.0 * (np.tanh(np.tanh(x) + 1.0) + 1.0)
    for _ in range(2):
        np.testing.assert_allclose(outer(x), expected, rtol=1e-6)
    for concrete in (outer.get_concrete_function(x), inner.get_concrete_function(x)):
        cached, outline = kept(concrete)
        assert cached is None
        assert not outline.node_def
        assert len(outline.signature.input_arg) == 1


def test_definitions_are_whole_where_they_are_asked_for():
    x = tf.constant([0.5, -1.0])
    outer(x)
    concrete = outer.get_concrete_function(x)
    assert {node.op for node in concrete.function_def.node_def} >= {"Mul"}
    (called,) = concrete.graph.as_graph_def().library.function
    assert {node.op for node in called.node_def} >= {"Tanh", "AddV2"}
    assert called.attr["_noinline"].b
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = outer(x)
    assert np.isfinite(tape.gradient(y, x)).all()


def test_compiled_ones_are_compiled_within_others():
    fast = tf.function(lambda x: tf.exp(x) + 1.0, jit_compile=True, autograph=False)
    x = tf.constant(1.0)
    np.testing.assert_allclose(fast(x), np.e + 1.0, rtol=1e-6)
    around = tf.function(lambda x: fast(x), autograph=False).get_concrete_function(x)
    np.testing.assert_allclose(around(x), np.e + 1.0, rtol=1e-6)
    calls = [op for op in around.graph.get_operations() if "PartitionedCall" in op.type]
    assert [op.get_attr("_XlaMustCompile") for op in calls] == [True]


def test_a_wrong_number_of_tensors():
    concrete = outer.get_concrete_function(tf.TensorSpec([2]))
    with pytest.raises(ValueError, match="1 arguments"):
        concrete._inference_function.call_flat(tf.zeros(2), tf.zeros(2))


@pytest.fixture
def read(monkeypatch):
    """Names of functions, each time that a definition is read."""
    read = []
    original = AtomicFunction.definition.fget
    counted = property(lambda self: read.append(self.name) or original(self))
    monkeypatch.setattr(AtomicFunction, "definition", counted)
    return read


def test_it_is_read_once(read):
    traced = tf.function(lambda x: tf.exp(x) * 2.0, autograph=False)
    x = tf.constant([0.5, -1.0])
    for _ in range(2):
        np.testing.assert_allclose(traced(x), 2.0 * np.exp(x), rtol=1e-6)
    assert len(read) == 1


def test_attributes():
    concrete = inner.get_concrete_function(tf.TensorSpec([3]))
    for attributes in (concrete._attrs, concrete._inference_function.attributes):
        assert attributes["_noinline"].b


def test_tapes_do_not_read_it_again(read):
    x = tf.constant([0.5, -1.0])
    for _ in range(3):
        before = len(read)
        with tf.GradientTape() as tape:
            tape.watch(x)
            outer(x)
    assert len(read) == before
