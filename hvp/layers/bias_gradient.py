"""The gradient of biases in bfloat16, which on CPUs TensorFlow 2.21 gets wrong.

Its `BiasAddGrad` sums in bfloat16: of 1 000 terms the sum is off by 3 %, of 100 000 by 80 %. Keras'
layers add their biases by that operation, so what they learn in `mixed_bfloat16` suffers.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.framework import ops  # nothing public replaces a gradient


def mend_bias_gradient() -> None:
    """From now on gradients of biases in bfloat16 are sums that keep float32's precision."""
    registered = ops.gradient_registry._registry["BiasAdd"]
    original = registered["type"]

    def gradient(op: Any, upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if upstream.dtype != tf.bfloat16 or op.get_attr("data_format") == b"NCHW":
            return original(op, upstream)
        return upstream, tf.reduce_sum(upstream, range(len(upstream.shape) - 1))

    registered["type"] = gradient
