"""Definitions of traced functions, which TensorFlow would hold three more times.

To see how many tensors a function takes, and which attributes it has, TensorFlow 2.21 reads its
definition, with all of its operations, from its runtime, and holds it in Python: twice from when it
was traced on, for the attributes, and once from the first call on; 1 to 3 kB an operation each
time. After `mend_definitions` an outline is read once and held, and who asks for a definition gets
it from the runtime. Tapes ask at every call: under them it is held as before.
"""

from __future__ import annotations

import functools
from typing import Any

from tensorflow.core.framework import function_pb2

# Nothing public lets go of a definition, or says whether there is a tape.
from tensorflow.python.eager import record
from tensorflow.python.eager.polymorphic_function.atomic_function import AtomicFunction
from tensorflow.python.eager.polymorphic_function.attributes import (
    EAGER_RUNTIME_CONSTRUCTION_CONTEXT,
)

OUTLINE = "_hvp_outline"  # of a function: its definition without operations


def mend_definitions() -> None:
    """From now on functions and calls of them keep outlines of their definitions."""
    AtomicFunction.call_flat = _with_outline(AtomicFunction.call_flat)
    AtomicFunction.attributes = property(_attributes)


def _attributes(function: AtomicFunction) -> dict[str, Any]:
    """As TensorFlow's property, whose values are parts of a whole definition."""
    attributes = dict(_outline(function).attr)
    attributes.pop(EAGER_RUNTIME_CONSTRUCTION_CONTEXT, None)  # of the process, not of the function
    return attributes


def _with_outline(call_flat: Any) -> Any:
    """The method `call_flat` of functions, which looks at signatures and attributes only."""

    @functools.wraps(call_flat)
    def run(self: Any, *tensors: Any) -> Any:
        if record.could_possibly_record():
            return call_flat(self, *tensors)
        self._cached_definition = _outline(self)
        try:
            return call_flat(self, *tensors)
        finally:
            self._cached_definition = None  # read again where it is asked for

    return run


def _outline(function: AtomicFunction) -> function_pb2.FunctionDef:
    if not hasattr(function, OUTLINE):
        definition = function.definition
        outline = function_pb2.FunctionDef(signature=definition.signature)
        for name, value in definition.attr.items():
            outline.attr[name].CopyFrom(value)
        setattr(function, OUTLINE, outline)
    return getattr(function, OUTLINE)
