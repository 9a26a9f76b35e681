"""Counts the floating-point operations of a program while it runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

# One a value of the result, whatever it costs.
ELEMENTWISE = frozenset((
    "Abs", "Add", "AddV2", "BiasAdd", "Cos", "Div", "DivNoNan", "Elu", "Erf", "Exp", "Expm1",
    "FloorDiv", "LeakyRelu", "Log", "Log1p", "Maximum", "Minimum", "Mul", "Neg", "Pow", "RealDiv",
    "Reciprocal", "Relu", "Relu6", "Round", "Rsqrt", "Sigmoid", "Sin", "Softmax", "LogSoftmax",
    "Softplus", "Sqrt", "Square", "SquaredDifference", "Sub", "Tanh",
))  # fmt: skip
# One a value that goes in.
REDUCTIONS = frozenset(("L2Loss", "Mean", "Prod", "Sum"))
NORMALISATIONS = frozenset(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"))
CONVOLUTIONS = frozenset(("Conv2D", "Conv3D"))
TRANSPOSED = frozenset(("Conv2DBackpropInput", "Conv3DBackpropInputV2"))
KERNEL_GRADIENTS = frozenset(("Conv2DBackpropFilter", "Conv3DBackpropFilterV2"))
DEPTHWISE_GRADIENTS = frozenset((
    "DepthwiseConv2dNativeBackpropInput", "DepthwiseConv2dNativeBackpropFilter",
))  # fmt: skip
# One a value, as what they are the gradients of.
GRADIENTS = frozenset((
    "BiasAddGrad", "EluGrad", "LeakyReluGrad", "ReciprocalGrad", "Relu6Grad", "ReluGrad",
    "RsqrtGrad", "SigmoidGrad", "SoftplusGrad", "SqrtGrad", "TanhGrad",
))  # fmt: skip


def count_operations(run: Callable[[], Any]) -> int:
    """Floating-point operations of `run()`, which is executed op by op, loops and all.

    A multiply-add of convolutions, matrix products and contractions counts two, a Fourier transform
    of n values 5 n log2(n) (half of it for real ones), a reduction one a value, elementwise
    arithmetic one a result. Copies, comparisons and random numbers count nothing.
    """
    # Not public, and the only place where every op is seen with the shapes that it ran on; counts
    # from a graph lack the rounds of its loops and the inside of its functions.
    from tensorflow.python.framework import op_callbacks

    total = 0

    def see(kind: str | bytes, inputs: Any, attrs: Any, outputs: Any, *_: Any, **__: Any) -> None:
        nonlocal total
        if not any(y.dtype.is_floating or y.dtype.is_complex for y in outputs):
            return
        shapes = [_shape(x) for x in inputs], attrs, [_shape(y) for y in outputs]
        total += _operations(tf.compat.as_str(kind), *shapes)

    eagerly = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    op_callbacks.add_op_callback(see)
    try:
        run()
    finally:
        op_callbacks.remove_op_callback(see)
        tf.config.run_functions_eagerly(eagerly)
    return total


def _shape(x: Any) -> tuple[int, ...]:
    shape = getattr(x, "shape", ())
    return () if shape is None else tuple(shape)


def _operations(
    kind: str,
    inputs: Sequence[tuple[int, ...]],
    attrs: Sequence[Any],
    outputs: Sequence[tuple[int, ...]],
) -> int:
    size = math.prod(outputs[0]) if outputs else 0
    if kind in ELEMENTWISE:
        return size
    if kind in REDUCTIONS or kind in GRADIENTS:
        return math.prod(inputs[0])
    if kind == "AddN":
        return (len(inputs) - 1) * size
    if kind in NORMALISATIONS:
        return 2 * size
    if kind in CONVOLUTIONS:
        return 2 * size * math.prod(inputs[1][:-1])
    if kind in TRANSPOSED:  # each value that goes in reaches a kernel's share of the result
        return 2 * math.prod(inputs[2]) * math.prod(inputs[1][:-1])
    if kind in KERNEL_GRADIENTS:
        return 2 * math.prod(inputs[2]) * math.prod(outputs[0][:-1])
    if kind in DEPTHWISE_GRADIENTS:
        kernel = outputs[0] if kind.endswith("Filter") else inputs[1]
        return 2 * math.prod(inputs[2]) * math.prod(kernel[:2])
    if kind == "DepthwiseConv2dNative":
        return 2 * size * math.prod(inputs[1][:2])
    if kind == "MatMul":
        return 2 * size * (math.prod(inputs[0]) // max(1, outputs[0][0]))
    if kind.startswith("BatchMatMul"):
        rows = math.prod(inputs[0][:-2]) * outputs[0][-2]
        return 2 * size * (math.prod(inputs[0]) // max(1, rows))
    if kind == "Einsum":
        return _contraction(inputs, attrs)
    return _transform(kind, inputs, outputs)


def _contraction(inputs: Sequence[tuple[int, ...]], attrs: Sequence[Any]) -> int:
    """Two for every combination of indices; a single operand is a copy or a sum."""
    if len(inputs) == 1:
        return 0
    equation = tf.compat.as_str(attrs[list(attrs).index("equation") + 1])
    sizes = {"": 1}  # of each letter, and of the axes that leading dots stand for
    for term, shape in zip(equation.split("->")[0].split(","), inputs, strict=True):
        letters = term.replace("...", "")
        dotted = len(shape) - len(letters)
        sizes.update(zip(letters, shape[dotted:], strict=True))
        sizes[""] = max(sizes[""], math.prod(shape[:dotted]))
    return 2 * math.prod(sizes.values())


def _transform(kind: str, inputs: Sequence[tuple[int, ...]], outputs: Sequence[Any]) -> int:
    """5 n log2(n) for each transform of n values; 0 for what is none."""
    rank = {"FFT": 1, "FFT2D": 2, "FFT3D": 3}.get(kind.lstrip("IR"))
    if rank is None:
        return 0
    shape = outputs[0] if kind.startswith("IR") else inputs[0]  # the side that has all values
    length = max(2, math.prod(shape[-rank:]))
    return round((2.5 if "R" in kind else 5.0) * math.prod(shape) * math.log2(length))
