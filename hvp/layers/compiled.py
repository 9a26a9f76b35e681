"""Work on large tensors that XLA joins into few passes over memory.

On a CPU, TensorFlow runs what is done element by element as one operation after the other, each of
which reads and writes tensors that no cache holds. Compiled, a chain of them is one pass. Programs
are compiled for a shape each, a fifth to half a second on two cores, so small tensors are left
alone; so are GPUs, where nobody has measured.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hvp.layers.custom_gradients import custom_gradient

LARGE = 2**17  # bytes, from which on one pass takes clearly less time than operations do


def pays(x: tf.Tensor, least: int = LARGE) -> bool:
    """Whether work on `x` is worth compiling: it has `least` bytes, and there are only CPUs.

    Bytes are counted as float32's, as most of these functions compute: TensorFlow's operations on
    bfloat16 take no less time.
    """
    return max(4, x.dtype.size) * math.prod(length or 1 for length in x.shape) >= least and {
        device.device_type for device in tf.config.get_visible_devices()
    } == {"CPU"}


def program(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, compiled for each shape of its tensors."""
    traced = tf.function(function, jit_compile=True, autograph=False)

    @functools.wraps(function)
    def run(*tensors: Any) -> Any:
        # Called directly, TensorFlow warns of as many shapes as a model has stages.
        return traced.get_concrete_function(*tensors)(*tensors)

    return run


def without_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function of tensors where the first one is large; no gradient is asked of it."""
    fast = program(function)

    @functools.wraps(function)
    def run(*tensors: tf.Tensor) -> Any:
        return (fast if pays(tensors[0]) else function)(*tensors)

    return run


def differentiable(function: Callable[..., Any], least: int = LARGE) -> Callable[..., Any]:
    """Compiles a function of tensors, and its gradient, where the first has `least` bytes.

    The gradient computes anew what it needs; nothing but the arguments is kept.

    Args:
        function: of tensors only, to a tensor or a tuple of them, from operations that XLA knows.
    """

    def differentiate(tensors: tuple[tf.Tensor, ...], upstream: tuple[tf.Tensor, ...]) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            y = tf.nest.flatten(function(*tensors))
        return tape.gradient(y, tensors, list(upstream))

    forward, backward = program(function), program(differentiate)

    @custom_gradient
    def fast(*tensors: tf.Tensor) -> tuple[Any, Callable]:
        y = forward(*map(tf.stop_gradient, tensors))  # or eager tapes keep what is inside
        return y, lambda *upstream: backward(tensors, upstream)

    @functools.wraps(function)
    def run(*tensors: tf.Tensor) -> Any:
        return (fast if pays(tensors[0], least) else function)(*tensors)

    return run
