"""Involution (Li et al., "Involution: Inverting the Inherence of Convolution", CVPR 2021)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import layers

from hvp.layers.convolution import PointwiseConvolution, normalised
from hvp.layers.initial_values import mmcv_values
from hvp.layers.neighbourhood import generated_sum
from hvp.layers.normalisation import batch_norm


class Involution(layers.Layer):
    """A neighbourhood sum whose kernel is generated at each pixel and shared within a group.

    Maps `(batch, height, width, channels)` to the same shape; zero padding. Kernels are generated
    in the layer's precision, sums computed in float32 whatever that is. Gradients of its gradients
    raise a `LookupError`.

    Args:
        kernel_size: odd, 1 to 21 in the papers.
        groups: number of channel groups that have a kernel of their own; 16 channels each by
            default.
        reduction: the kernel is generated through `channels // reduction` features.

    Example:
        >>> Involution(7)(np.zeros((2, 16, 16, 64), "float32")).shape
        TensorShape([2, 16, 16, 64])
    """

    def __init__(self, kernel_size: int, groups: int | None = None, reduction: int = 4, **kwargs):
        super().__init__(**kwargs)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd and positive, received {kernel_size}")
        self.kernel_size, self.reduction = kernel_size, reduction
        self.groups: Any = groups  # None: the input's channels tell it

    def build(self, shape: tuple[Any, ...]) -> None:
        channels = shape[-1]
        groups = channels // 16 if self.groups is None else self.groups
        if groups < 1 or channels % groups:
            raise ValueError(f"{channels} channels do not divide into {groups} groups")
        self.groups = groups
        hidden = channels // self.reduction
        outputs = self.kernel_size**2 * groups
        same: dict[str, Any] = {"dtype": self.dtype_policy, **mmcv_values()}
        self.reduce = PointwiseConvolution(hidden, use_bias=False, name="reduce", **same)
        self.norm = batch_norm("norm", activation=tf.nn.relu, dtype=self.dtype_policy)
        self.span = PointwiseConvolution(outputs, name="span", **same)
        self.reduce.build(shape)
        self.norm.build((*shape[:-1], hidden))
        self.span.build((*shape[:-1], hidden))
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        hidden = normalised(self.reduce, self.norm, x, training)
        if self.kernel_size == 1:
            return self._scaled(x, self.span(hidden))
        kernel, bias = (tf.cast(w, self.compute_dtype) for w in (self.span.kernel, self.span.bias))
        x = tf.cast(x, tf.float32)
        result = generated_sum(x, hidden, tf.squeeze(kernel, (0, 1)), bias, self.groups)
        return tf.cast(result, self.compute_dtype)

    def _scaled(self, x: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
        height, width, channels = x.shape[1:]
        grouped = tf.reshape(x, (-1, height, width, self.groups, channels // self.groups))
        return tf.reshape(grouped * kernels[..., None], (-1, height, width, channels))
