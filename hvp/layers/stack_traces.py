"""Where operations were made: the places that errors name, without those inside TensorFlow.

An operation of a graph keeps the stack of calls that made it, up to a hundred places, for the
message of an error of its kernel, which names but the user's own: 39 MB of DFDNet's update. After
`mend_stack_traces` places in the files of TensorFlow and Keras are left out from the start.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

# Nothing public shortens what operations keep.
from tensorflow.python.util import _tf_stack, tf_stack

LEFT_OUT = {"tensorflow", "keras", "tensorflow_probability"}  # packages


def mend_stack_traces() -> None:
    """From now on operations keep the places outside of the packages `LEFT_OUT`."""
    files = _tf_stack.PyBindFileSet()
    files.update_to(set(_files_left_out()))

    def extract_stack(stacklevel: int = 1) -> Any:
        del stacklevel  # how many of the last places are TensorFlow's: none any more
        # Where AutoGraph converted code, it knows the places in the original.
        original = tf_stack._source_mapper_stacks[tf_stack._get_thread_key()][-1]
        return _tf_stack.extract_stack(original.internal_map, files, 0)

    tf_stack.extract_stack = extract_stack


def _files_left_out() -> Iterator[str]:
    for name, module in [*sys.modules.items()]:
        # Not `module.__file__`, which would load what is to be loaded when it is used.
        file = getattr(module, "__dict__", {}).get("__file__")
        if file and name.partition(".")[0] in LEFT_OUT:
            yield file
