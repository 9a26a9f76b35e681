"""Graphs whose functions have gradients of their own, let go of when nobody needs them.

TensorFlow 2.21 registers the gradient of each call of such a function in a graph for good. It holds
the call's tensors, and they their graph with all that it uses: in a process that trains one model
after the other, every model's graphs and variables would stay in memory, 0.3 GiB of a small DFDNet.
"""

from __future__ import annotations

import weakref
from typing import Any

from tensorflow.python.framework import ops, registry  # nothing public lets go of a gradient

PREFIX = "CustomGradient-"  # of the names that `tf.custom_gradient` makes up
ATTRIBUTE = "_hvp_custom_gradients"  # of a graph: the list that holds its own


def mend_custom_gradients() -> None:
    """From now on the gradients that `tf.custom_gradient` registers live as long as their graph."""
    if not isinstance(ops.gradient_registry, _OfGraphs):
        ops.gradient_registry = ops._gradient_registry = _OfGraphs(ops.gradient_registry)


class _OfGraphs(registry.Registry):
    """TensorFlow's registry of gradients, in which the graphs hold those of custom gradients."""

    def __init__(self, known: registry.Registry) -> None:
        super().__init__(known._name)
        self._registry = known._registry

    def register(self, candidate: Any, name: str | None = None) -> None:
        """Adds the gradient function `candidate` of operations of type `name`."""
        if name is None or not name.startswith(PREFIX):
            super().register(candidate, name)
            return
        graph = ops.get_default_graph()
        if not hasattr(graph, ATTRIBUTE):
            setattr(graph, ATTRIBUTE, [])
        getattr(graph, ATTRIBUTE).append(candidate)
        held: Any = weakref.ref(candidate, lambda _: self._registry.pop(name, None))
        super().register(lambda *arguments: held()(*arguments), name)
