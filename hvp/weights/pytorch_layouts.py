"""PyTorch's layouts of arrays in Keras', and layers' variables by PyTorch's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from hvp.named_weights import Target

Convert = Callable[[np.ndarray], np.ndarray]
Named = Iterator[tuple[str, Any, Convert]]


def as_targets(named: Named) -> dict[str, Target]:
    """What `assign_by_name` takes, from triples of name, variable and conversion."""
    return {name: Target(variable, convert) for name, variable, convert in named}


def same(array: np.ndarray) -> np.ndarray:
    """As it is."""
    return array


def convolution(array: np.ndarray) -> np.ndarray:
    """`(out, in, h, w)` to `(h, w, in, out)`."""
    return array.transpose(2, 3, 1, 0)


def transposed(array: np.ndarray) -> np.ndarray:
    """A transposed convolution's `(in, out, h, w)` to `(h, w, out, in)`."""
    return array.transpose(2, 3, 1, 0)


def depthwise(array: np.ndarray) -> np.ndarray:
    """`(channels, 1, h, w)` to `(h, w, channels, 1)`."""
    return array.transpose(2, 3, 0, 1)


def linear(array: np.ndarray) -> np.ndarray:
    """`(out, in)` to `(in, out)`."""
    return array.transpose()


def layer(name: str, of: Any, convert: Convert) -> Named:
    """A layer's `weight`, and its `bias` where it has one."""
    yield f"{name}.weight", of.kernel, convert
    if of.bias is not None:
        yield f"{name}.bias", of.bias, same


def norm(name: str, layer: Any) -> Named:
    """Gain and offset of a normalisation."""
    yield f"{name}.weight", layer.gamma, same
    yield f"{name}.bias", layer.beta, same


def batch_norm(name: str, layer: Any) -> Named:
    """Gain, offset and running statistics of a batch normalisation."""
    yield from norm(name, layer)
    yield f"{name}.running_mean", layer.moving_mean, same
    yield f"{name}.running_var", layer.moving_variance, same
