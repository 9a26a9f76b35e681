"""Functions with gradients of their own, lighter than TensorFlow has them.

`custom_gradient` is `tf.custom_gradient` for functions of tensors alone. TensorFlow's adds to a
graph, for every tensor that a function is given, an operation that nothing uses, and to the
gradient's graph three that make zeros of its shape, which nothing uses either: a quarter of the
operations of DFDNet's update.

TensorFlow 2.21 registers the gradient of each call of such a function in a graph for good. It holds
the call's tensors, and they their graph with all that it uses: in a process that trains one model
after the other, every model's graphs and variables would stay in memory, 0.3 GiB of a small DFDNet.
After `mend_custom_gradients` graphs are let go of when nobody needs them.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

import tensorflow as tf

# Nothing public lets go of a gradient, or tells a tape of an operation.
from tensorflow.python.eager import record
from tensorflow.python.framework import ops, registry

PREFIX = "CustomGradient-"  # of the names that `tf.custom_gradient` makes up
ATTRIBUTE = "_hvp_custom_gradients"  # of a graph: the list that holds its own


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, of tensors, with the gradient that it gives.

    Args:
        function: of tensors, and of nothing else that has a gradient, to a tensor or a tuple of
            tensors; and to a function that makes of their gradients a gradient for each tensor
            that was given, a tensor or `None`.

    Raises:
        TypeError: when it is called, if it uses a variable that it is not given.

    Example:
        >>> @custom_gradient
        ... def cube(x):
        ...     return x**3, lambda dy: 3.0 * x**2 * dy
    """
    eager = tf.custom_gradient(function)

    @functools.wraps(function)
    def run(*tensors: Any) -> Any:
        return eager(*tensors) if tf.executing_eagerly() else _in_graph(function, tensors)

    return run


def _in_graph(function: Callable[..., Any], tensors: tuple[Any, ...]) -> Any:
    given = [tf.convert_to_tensor(tensor) for tensor in tensors]
    with record.VariableWatcher() as watcher:
        result, gradient = function(*given)
    if watcher.watched_variables():
        raise TypeError(f"{function.__qualname__} must be given the values of variables it uses")
    outputs = tf.nest.flatten(result)

    def gradients(*upstream: tf.Tensor) -> list[tf.Tensor | None]:
        return tf.nest.flatten(gradient(*upstream[: len(outputs)]))

    # Tapes see an operation from what was given to the outputs. A graph that is differentiated
    # without a tape, as of a loop or of a function that was traced before, sees one that passes on
    # both, for it needs the former among its inputs.
    name = f"{PREFIX}{ops.uid()}"
    ops.RegisterGradient(name)(lambda _, *upstream: [None] * len(outputs) + gradients(*upstream))
    graph = ops.get_default_graph()
    with record.stop_recording(), graph.gradient_override_map({"IdentityN": name}):
        passed = tf.identity_n([*outputs, *given])[: len(outputs)]
    record.record_operation(function.__name__, passed, given, gradients)
    return tf.nest.pack_sequence_as(result, passed)


@custom_gradient
def gradients_in_turn(x: tf.Tensor, y: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable]:
    """Both as they are; the gradient of `y` is passed on when that of `x` is there.

    So what comes before `y` is not differentiated, nor in memory, beside what comes after `x`.
    """

    def gradient(dx: tf.Tensor, dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.control_dependencies([dx]):
            return dx, tf.identity(dy)

    return (tf.identity(x), tf.identity(y)), gradient


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
