"""Initial values as the frameworks of the published code draw them.

Keras' own are Glorot-uniform kernels and zero biases, which is what the hierarchical model and the
synthesis network were published with.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
from keras import initializers


class _FanInUniform:
    """Uniform up to 1 / sqrt(fan-in) on either side: a layer's kernel, then its bias."""

    def __init__(self, fan_in: int | None):
        self.fan_in: Any = fan_in  # None: the kernel tells it

    def kernel(self, shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
        if self.fan_in is None:
            self.fan_in = math.prod(shape[:-1])
        return self._draw(shape, dtype)

    def bias(self, shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
        return self._draw(shape, dtype)

    def _draw(self, shape: tuple[int, ...], dtype: Any) -> tf.Tensor:
        bound = 1 / math.sqrt(self.fan_in)
        return initializers.RandomUniform(-bound, bound)(shape, dtype)


def pytorch_values(fan_in: int | None = None, kernel: str = "kernel") -> dict[str, Any]:
    """Initialisers of one layer as PyTorch's: Kaiming-uniform with a = sqrt(5), for biases too.

    For `Dense`, `Conv2D`, and `Conv2DTranspose`, of whose kernel PyTorch counts the outputs for
    inputs, as Keras' order of axes does.

    Args:
        fan_in: inputs of an output; by default all of the kernel's axes but the last.
        kernel: name of the layer's kernel: `depthwise` for `DepthwiseConv2D`, whose `fan_in` is the
            size of its window.

    Returns:
        Keyword arguments of the layer. Not to be shared by two layers.
    """
    values = _FanInUniform(fan_in)
    return {f"{kernel}_initializer": values.kernel, "bias_initializer": values.bias}


def mmcv_values() -> dict[str, Any]:
    """Initialisers of mmcv's `ConvModule`: normal of variance 2 / fan-out, zero biases."""
    return {
        "kernel_initializer": initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
    }
