"""What a run wrote, read back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf

from hvp.training.trainer import train


@contextmanager
def eager_functions() -> Iterator[None]:
    """Functions run eagerly: a few steps are sooner done than traced."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def quiet_train(config, logdir, *, traced: bool = False, report=lambda line: None) -> Path:
    """Eagerly unless `traced`; test_commands.py and test_replicas.py train by graphs."""
    if traced:
        return train(config, logdir, report=report)
    with eager_functions():
        return train(config, logdir, report=report)


def all_values(folder):
    """Every number of the latest checkpoint by name, optimizer included."""
    reader = tf.train.load_checkpoint(str(folder / "model"))
    shapes = reader.get_variable_to_shape_map()
    return {
        name: reader.get_tensor(name)
        for name in shapes
        if name != "_CHECKPOINTABLE_OBJECT_GRAPH" and "save_counter" not in name
    }


def events(folder):
    """`(step, tag, value)` of all event files, scalars as floats."""
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                array = tf.make_ndarray(value.tensor)
                scalar = array.ndim == 0 and array.dtype != object  # strings are objects
                found.append((event.step, value.tag, float(array) if scalar else array))
    return found


def assert_equal_runs(actual, expected):
    actual, expected = all_values(actual), all_values(expected)
    assert actual.keys() == expected.keys()
    assert any(name.startswith("optimizer/") for name in expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)
