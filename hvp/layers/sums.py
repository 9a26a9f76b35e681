"""Sums of gradients whose last bits do not depend on what ran first.

TensorFlow adds up the gradients of all uses of a tensor by one operation, `AddN`, into the first of
them that nobody else reads any more. Which one that is, and so in what order they are added, can
change from run to run: DFDNet's gradients of published width differed in their last bits. After
`mend_sums` they are added in pairs, in one order, and none waits in memory for all others.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import gen_math_ops  # nothing public says how a tape adds up


def mend_sums() -> None:
    """From now on sums of more than two tensors are sums of pairs."""
    gen_math_ops.add_n = _in_pairs(gen_math_ops.add_n)


def _in_pairs(add_n: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    @functools.wraps(add_n)
    def run(inputs: Sequence[Any], name: str | None = None) -> tf.Tensor:
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 3:
            return add_n(inputs, name=name)
        total = inputs[0]
        for one in inputs[1:-1]:
            total = add_n([total, one])
        return add_n([total, inputs[-1]], name=name)

    return run
