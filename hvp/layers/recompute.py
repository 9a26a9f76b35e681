"""Gradients by computing anew, some rows at a time: memory does not grow with the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import keras
import tensorflow as tf

from hvp.layers.custom_gradients import custom_gradient

Tensors = tuple[tf.Tensor, ...]
Gradients = tuple[tf.Tensor | None, ...]  # None: does not depend on it
# (rows, shared) -> (outputs of the rows, terms whose sum over all rows is an output)
RowFunction = Callable[[Tensors, Tensors], tuple[Gradients, Gradients]]

_inputs_only = ContextVar("inputs_only", default=False)
_anew = ContextVar("anew", default=False)


@contextmanager
def _set(flag: ContextVar[bool]) -> Iterator[None]:
    token = flag.set(True)
    try:
        yield
    finally:
        flag.reset(token)


@contextmanager
def inputs_only() -> Iterator[None]:
    """Gradients taken within are not of the weights of what is `recomputed`.

    Those cost as much as the inputs'. Gradients of such gradients, taken outside, are complete.
    """
    with _set(_inputs_only):
        yield


def recomputed(
    function: Callable[..., tf.Tensor | Tensors],
    layers: Sequence[keras.layers.Layer],
    rows: Sequence[tf.Tensor],
    at_once: int,
) -> Tensors:
    """`function(*rows)`, of which nothing is kept for the gradient but its inputs.

    Inputs are taken `at_once` rows at a time, forwards and, computed anew, backwards, so that what
    lies between them is in memory for these rows only. Gradients of gradients work the same way.

    Args:
        function: of tensors whose first axes belong together, to one or more of the same; treats
            every row alike and apart from the others, draws nothing at random.
        layers: all whose weights it uses.
        rows: its arguments, floating point.
        at_once: number of rows.

    Returns:
        What `function` returns, as a tuple.
    """
    variables = [weight for layer in layers for weight in layer.weights]

    def run(rows: Tensors, weights: Tensors) -> tuple[Tensors, Tensors]:
        with keras.StatelessScope(list(zip(variables, weights, strict=True))):
            outputs = function(*rows)
        return tuple(outputs) if isinstance(outputs, list | tuple) else (outputs,), ()

    weights = tuple(tf.convert_to_tensor(variable.value) for variable in variables)
    outputs = _by_rows(run, tuple(rows), weights, at_once)
    return tuple(output for output in outputs if output is not None)


def _by_rows(function: RowFunction, rows: Tensors, shared: Tensors, at_once: int) -> Gradients:
    """Outputs of all rows, then the sums; the gradient is a function of the same kind."""
    structure: list[bool] = []

    @custom_gradient
    def call(*inputs: tf.Tensor) -> tuple[Tensors, Callable]:
        # Without stop_gradient an eager tape would differentiate the loop as well.
        with in_turn() as others:
            inputs = tuple(map(tf.stop_gradient, inputs))
            outputs, sums = in_parts(function, inputs[: len(rows)], inputs[len(rows) :], at_once)
            others[:] = [x for x in (*outputs, *sums) if x is not None]
        structure[:] = [x is not None for x in (*outputs, *sums)]
        num_outputs = sum(structure[: len(outputs)])

        def gradient(*upstream: tf.Tensor) -> Gradients:
            only = _inputs_only.get()
            vector_jacobian = _differentiated(function, len(rows), len(shared), only)
            # Not before the gradient has come, or all that is computed anew would wait for it.
            with tf.control_dependencies(upstream):
                own = tuple(map(tf.identity, rows))
            result = _by_rows(
                vector_jacobian,
                (*own, *upstream[:num_outputs]),
                (*shared, *upstream[num_outputs:]),
                at_once,
            )
            return (*result, *[None] * len(shared)) if only else result

        return tuple(x for x in (*outputs, *sums) if x is not None), gradient

    results = iter(call(*rows, *shared))
    return tuple(next(results) if there else None for there in structure)


@contextmanager
def in_turn() -> Iterator[list[tf.Tensor]]:
    """Runs what is traced within after the tensors of the list, and gives it to be replaced.

    Stages that do not depend on each other would otherwise run, and take memory, side by side.
    What is computed anew has no turn: of that, only what a gradient needs is run at all.
    """
    if tf.executing_eagerly() or _anew.get():
        yield []
        return
    graph, replica = tf.compat.v1.get_default_graph(), tf.distribute.get_replica_context()
    number = None if replica is None else replica.replica_id_in_sync_group
    others = graph.get_collection_ref(f"hvp/recomputed/{number}")
    # Branches of a condition share the collections of the graph around them.
    with tf.control_dependencies([tensor for tensor in others if tensor.graph is graph]):
        yield others


def _differentiated(
    function: RowFunction, num_rows: int, num_shared: int, only_rows: bool
) -> RowFunction:
    """The gradient of some rows' outputs and terms: rows' is an output, the shared's a term."""

    def vector_jacobian(rows: Tensors, shared: Tensors) -> tuple[Gradients, Gradients]:
        upstream = (*rows[num_rows:], *shared[num_shared:])
        rows, shared = rows[:num_rows], shared[:num_shared]
        wanted = rows if only_rows else (*rows, *shared)
        with tf.GradientTape() as tape:
            tape.watch(wanted)
            with _set(_anew):
                outputs, terms = function(rows, shared)
            results = tuple(x for x in (*outputs, *terms) if x is not None)
        gradients = tape.gradient(results, wanted, upstream)
        return tuple(gradients[:num_rows]), tuple(gradients[num_rows:])

    return vector_jacobian


def in_parts(
    function: RowFunction, rows: Tensors, shared: Tensors, at_once: int
) -> tuple[Gradients, Gradients]:
    """`function` of some rows after the other: outputs joined, and sums added up.

    As many at a time each time, where their number is known. Not to be differentiated.
    """
    static = rows[0].shape[0]
    if static is not None and static <= at_once:
        return function(rows, shared)
    if static is not None:
        at_once = max(n for n in range(1, at_once + 1) if static % n == 0)
    first = function(tuple(x[:at_once] for x in rows), shared)
    outputs, sums = (tuple(x for x in part if x is not None) for part in first)
    count = tf.shape(rows[0])[0] if static is None else static
    size = -(-count // at_once)
    arrays = tuple(
        tf.TensorArray(x.dtype, size=size, infer_shape=static is not None).write(0, x)
        for x in outputs
    )

    def body(i: tf.Tensor, arrays: tuple, sums: Tensors) -> tuple[tf.Tensor, tuple, Tensors]:
        start = i * at_once
        number = tf.minimum(at_once, count - start) if static is None else at_once
        part = tuple(
            tf.slice(x, (start, *[0] * (len(x.shape) - 1)), (number, *x.shape[1:])) for x in rows
        )
        results, terms = function(part, shared)
        present = (x for x in results if x is not None)
        arrays = tuple(array.write(i, x) for array, x in zip(arrays, present, strict=True))
        present = (x for x in terms if x is not None)
        return i + 1, arrays, tuple(a + b for a, b in zip(sums, present, strict=True))

    with tf.control_dependencies((*outputs, *sums)):
        start = tf.constant(1)
    _, arrays, sums = tf.while_loop(
        lambda i, *_: i < size, body, (start, arrays, sums), parallel_iterations=1
    )
    whole = (array.concat() if static is None else array.stack() for array in arrays)
    joined = iter([tf.reshape(a, (-1, *x.shape[1:])) for a, x in zip(whole, outputs, strict=True)])
    added = iter(sums)
    return (
        tuple(None if x is None else next(joined) for x in first[0]),
        tuple(None if x is None else next(added) for x in first[1]),
    )
