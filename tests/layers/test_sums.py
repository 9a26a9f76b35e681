"""Sums of the gradients of a tensor's uses: in pairs, in one order."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from small_models import SMALL_HIERARCHICAL

import hvp
from hvp.config import TrainingConfig

SIZE = {"height": 32, "width": 32, "channels": 1}
MODELS = {
    "dfdnet": lambda: hvp.models.DFDNet(**SIZE, frames=4, hidden=4, blocks=(1, 2, 1, 1)),
    "hierarchical": lambda: hvp.models.HierarchicalModel(**SIZE, **SMALL_HIERARCHICAL),
}


def operations(graph, seen=None):
    """Of a graph and of the functions that it calls."""
    seen = set() if seen is None else seen
    found = list(graph.get_operations())
    for function in graph._functions.values():
        if function.name not in seen:
            seen.add(function.name)
            found += operations(function.graph, seen)
    return found


@pytest.mark.parametrize("name", MODELS)
def test_no_update_adds_more_than_two_at_once(name):
    model = MODELS[name]()
    model.configure_training(TrainingConfig())
    videos = tf.zeros((2, 8, *model.frame_shape))
    graph = tf.function(model.train_step, autograph=False).get_concrete_function(videos).graph
    sums = [op for op in operations(graph) if op.type == "AddN"]
    assert len(sums) > 10
    assert {len(op.inputs) for op in sums} == {2}


def test_sums_are_what_they_were():
    tensors = [tf.constant([float(i), 1.0]) for i in range(7)]
    np.testing.assert_array_equal(tf.add_n(tensors), [21.0, 7.0])
    np.testing.assert_array_equal(tf.add_n(tensors[:1]), [0.0, 1.0])
    with pytest.raises(ValueError, match="at least one"):
        tf.add_n([])
    with tf.GradientTape() as tape:
        x = tf.constant([2.0, 3.0])
        tape.watch(x)
        y = x + x**2 + x**3 + tf.exp(0.0 * x)
    np.testing.assert_allclose(tape.gradient(y, x), [17.0, 34.0])
