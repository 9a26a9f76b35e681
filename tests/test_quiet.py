"""A command's import of TensorFlow: fast, and it leaves Python as it was."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from hvp.quiet import Later, imported_as

FRESH_PROCESS = """
import gc, json, sys
from hvp.quiet import NOT_NEEDED, RARELY_NEEDED, Later, import_tensorflow
import_tensorflow()
early = [name for name in (*NOT_NEEDED, *RARELY_NEEDED) if name in sys.modules]
frozen = gc.get_freeze_count() > 10**5
import h5py, keras, matplotlib.pyplot, requests, scipy.linalg, tensorflow as tf
from keras.src.saving import saving_lib
later = [
    matplotlib.pyplot.figure().subplots(1, 2).shape == (2,),
    scipy.linalg.det([[2.0]]) == 2.0,
    requests.get.__name__ == "get",
    saving_lib.h5py.File is h5py.File,
    tf.lite.Interpreter is tf.compat.v1.lite.Interpreter,
    isinstance(tf.profiler.experimental.client, Later),  # whose library has notes of its own
]
from tensorflow.python.eager import context
options = context.context().function_call_options.config_proto_serialized
config = tf.compat.v1.ConfigProto.FromString(options)
once = config.graph_options.rewrite_options.meta_optimizer_iterations == 1
print(json.dumps([early, frozen, gc.isenabled(), all(later), once]))
"""


def test_a_commands_import():
    done = subprocess.run([sys.executable, "-c", FRESH_PROCESS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert json.loads(done.stdout) == [[], True, True, True, True]


@pytest.mark.parametrize("while_absent", [True, False])
def test_later(monkeypatch, while_absent):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with imported_as("colorsys", Later("colorsys")):
        import colorsys as stand_in

        assert isinstance(stand_in, Later)
        if while_absent:
            assert stand_in.rgb_to_hsv(0, 0, 0.5)[2] == 0.5
    assert stand_in.rgb_to_hsv(0, 0, 0.5)[2] == 0.5
    import colorsys

    assert colorsys.rgb_to_hsv is stand_in.rgb_to_hsv
    with pytest.raises(AttributeError, match="no_color"):
        _ = stand_in.no_color


def test_absent_is_for_the_time_being(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with imported_as("colorsys", None), pytest.raises(ImportError):
        import colorsys
    import colorsys

    with imported_as("colorsys", None):
        assert sys.modules["colorsys"] is colorsys
    assert sys.modules["colorsys"] is colorsys
