"""A command's import of TensorFlow: fast, and it leaves Python as it was."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from hvp.quiet import imported_as

FRESH_PROCESS = """
import gc, json, sys
from hvp.quiet import import_tensorflow
import_tensorflow()
found = {"drawing": "matplotlib" in sys.modules, "frozen": gc.get_freeze_count() > 10**5}
import keras, matplotlib.pyplot
figure = matplotlib.pyplot.figure()
print(json.dumps({**found, "collects": gc.isenabled(), "axes": len(figure.subplots(1, 2))}))
"""


def test_a_commands_import():
    done = subprocess.run([sys.executable, "-c", FRESH_PROCESS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found == {"drawing": False, "frozen": True, "collects": True, "axes": 2}


def test_absent_is_for_the_time_being(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with imported_as("colorsys", None), pytest.raises(ImportError):
        import colorsys
    import colorsys

    with imported_as("colorsys", None):
        assert sys.modules["colorsys"] is colorsys
    assert sys.modules["colorsys"] is colorsys
