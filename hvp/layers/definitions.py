"""Definitions of traced functions, which TensorFlow would hold a second time.

To see how many tensors a function takes, TensorFlow 2.21 reads its definition, with all of its
operations, from its runtime, and holds it in Python from the first call on: 2 to 3 kB an operation,
16 MB of DFDNet's update and predictions. After `mend_definitions` it holds an outline, and who asks
for a definition gets it from the runtime. Tapes ask at every call: under them it is held as before.
"""

from __future__ import annotations

import functools
from typing import Any

from tensorflow.core.framework import function_pb2

# Nothing public lets go of a definition, or says whether there is a tape.
from tensorflow.python.eager import record
from tensorflow.python.eager.polymorphic_function.atomic_function import AtomicFunction

OUTLINE = "_hvp_outline"  # of a function: its definition without operations


def mend_definitions() -> None:
    """From now on calls of functions keep outlines of their definitions."""
    AtomicFunction.call_flat = _with_outline(AtomicFunction.call_flat)


def _with_outline(call_flat: Any) -> Any:
    """The method `call_flat` of functions, which looks at signatures and attributes only."""

    @functools.wraps(call_flat)
    def run(self: Any, *tensors: Any) -> Any:
        if record.could_possibly_record():
            return call_flat(self, *tensors)
        if not hasattr(self, OUTLINE):
            setattr(self, OUTLINE, _outline(self.definition))
        self._cached_definition = getattr(self, OUTLINE)
        try:
            return call_flat(self, *tensors)
        finally:
            self._cached_definition = None  # read again where it is asked for

    return run


def _outline(definition: Any) -> Any:
    outline = function_pb2.FunctionDef(signature=definition.signature)
    for name, value in definition.attr.items():
        outline.attr[name].CopyFrom(value)
    return outline
