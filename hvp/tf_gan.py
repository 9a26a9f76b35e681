"""TF-GAN, which the adversarial losses and the Fréchet distance come from.

TF-GAN 2.1 is sound, but its import asks for things that are gone: `tf.estimator`, whose classes
its own estimators (unused here) inherit from, and, by way of TensorFlow Hub, `pkg_resources`. Both
are stood in for while it is imported and taken away again after, so that no other library finds a
`tf.estimator` that does nothing.
"""

from __future__ import annotations

import functools
import importlib
import types
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from hvp.quiet import imported_as


@functools.cache
def tensorflow_gan() -> types.ModuleType:
    """The package `tensorflow_gan`, imported on the first call (about a second).

    Example:
        >>> tensorflow_gan().eval.frechet_classifier_distance_from_activations(real, generated)
    """
    import tensorflow as tf

    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # deprecation of distutils and the like
        # TF-GAN imports it too. It gives tf.compat.v1 another module, so it must come first.
        dir(importlib.import_module("tensorflow_probability").distributions)  # it loads lazily
        if not hasattr(tf, "estimator"):
            stand_in = _estimator_stand_in()
            # tf.compat.v1 is a wrapper that refuses new attributes; what it wraps takes them.
            first_version = getattr(tf.compat.v1, "_tfmw_wrapped_module", tf.compat.v1)
            for module in (tf, first_version):
                stack.enter_context(_attribute(module, "estimator", stand_in))
        stack.enter_context(imported_as("pkg_resources", _pkg_resources_stand_in()))
        return importlib.import_module("tensorflow_gan")


def _estimator_stand_in() -> types.SimpleNamespace:
    """The names of `tf.estimator` that TF-GAN's classes inherit from or mention on import."""

    def empty(name: str) -> type:
        return type(name, (), {"__doc__": "Stands in for a class of tf.estimator, which is gone."})

    return types.SimpleNamespace(
        SessionRunHook=empty("SessionRunHook"),
        Estimator=empty("Estimator"),
        EstimatorSpec=empty("EstimatorSpec"),
        tpu=types.SimpleNamespace(
            TPUEstimator=empty("TPUEstimator"), TPUEstimatorSpec=empty("TPUEstimatorSpec")
        ),
    )


@contextmanager
def _attribute(module: Any, name: str, value: Any) -> Iterator[None]:
    setattr(module, name, value)
    try:
        yield
    finally:
        delattr(module, name)


def _pkg_resources_stand_in() -> types.ModuleType:
    """`pkg_resources.parse_version` for TensorFlow Hub; setuptools has dropped the module."""
    from packaging.version import parse

    module = types.ModuleType("pkg_resources")
    vars(module)["parse_version"] = parse
    return module
