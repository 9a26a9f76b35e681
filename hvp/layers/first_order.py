"""Functions whose gradient is written out and has no gradient of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from hvp.layers.custom_gradients import custom_gradient

Tensors = Sequence[tf.Tensor]


def with_gradient(
    forward: Callable[..., Any], backward: Callable[..., Tensors], tensors: Tensors
) -> Any:
    """`forward(*tensors)`, with `backward(*tensors, output, *kept, upstream)` for its gradients.

    Neither is differentiated by TensorFlow, not even by an eager tape. Gradients of gradients,
    which would lack terms, raise a `LookupError`.

    Args:
        forward: gives a tensor; or a tuple of that and of tensors that are kept for the gradient.
        backward: gives a gradient for each of `tensors`.
        tensors: all that `forward` depends on and that a gradient may be asked of.
    """

    @custom_gradient
    def run(*tensors: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        found = forward(*_unrecorded(tensors))
        output, *_ = outputs = found if isinstance(found, tuple) else (found,)
        # What a graph's gradient reads may be differentiated too: without this, `forward`.
        kept = [tf.stop_gradient(x) for x in outputs]
        return output, lambda upstream: _only_once(backward, (*tensors, *kept, upstream))

    return run(*tensors)


def _only_once(backward: Callable[..., Tensors], tensors: Tensors) -> Tensors:
    @custom_gradient
    def run(*tensors: tf.Tensor) -> tuple[Tensors, Callable]:
        def refuse(*upstream: tf.Tensor) -> None:
            raise LookupError(
                f"the gradient that {backward.__qualname__} writes out has no gradient itself"
            )

        return tuple(backward(*_unrecorded(tensors))), refuse

    return run(*tensors)


def _unrecorded(tensors: Tensors) -> Tensors:
    """What an eager tape records nothing of, as it would within a custom gradient."""
    return [tf.stop_gradient(x) for x in tensors] if tf.executing_eagerly() else tensors
