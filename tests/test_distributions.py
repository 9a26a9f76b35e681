"""TFP's distributions by way of `hvp.distributions`: the same classes, without the rest of TFP."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PARTLY = """
import json, sys
from hvp.quiet import import_tensorflow
import_tensorflow()
from hvp import distributions
found = {"others": [name for name in ("tf_keras", "distutils", "scipy") if name in sys.modules]}
import tensorflow_probability as tfp
names = [dir(getattr(tfp, name)) for name in distributions.PACKAGES]
same = [getattr(distributions, name) is getattr(tfp.distributions, name)
        for name in distributions.__all__ if name != "ParameterProperties"]
same.append(distributions.ParameterProperties is tfp.util.ParameterProperties)
mixture = tfp.distributions.MixtureSameFamily(
    tfp.distributions.Categorical(logits=[0.0]), distributions.Normal([1.0], [2.0])
)
from tensorflow_probability.python.internal.backend.numpy import numpy_math
print(json.dumps({**found, "names": names, "same": same, "mean": float(mixture.mean()),
                  "erf": float(numpy_math.erf(0.5))}))
"""
WHOLLY = """
import json, tensorflow, tensorflow_probability as tfp
from hvp import distributions
assert distributions.Normal is tfp.distributions.Normal
print(json.dumps({"names": [dir(getattr(tfp, name)) for name in distributions.PACKAGES]}))
"""
LAID_OUT_OTHERWISE = """
import json, sys
from hvp.quiet import import_tensorflow
import_tensorflow()
class Elsewhere:
    def find_spec(self, name, path=None, target=None):
        if name.endswith("distributions.logistic"):
            sys.meta_path.remove(self)
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Elsewhere())
from hvp import distributions
import tensorflow_probability as tfp
print(json.dumps([distributions.Logistic is tfp.distributions.Logistic,
                  distributions.Normal is tfp.distributions.Normal,
                  distributions.ParameterProperties is tfp.util.ParameterProperties]))
"""


def said(program: str):
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_they_are_tfps_own_which_is_whole_afterwards():
    partly = said(PARTLY)
    assert partly["others"] == []
    assert all(partly["same"])
    assert len(partly["same"]) == 9
    assert partly["mean"] == 1.0
    assert partly["erf"] == pytest.approx(0.5205, abs=1e-4)
    for names, wanted in zip(partly["names"], said(WHOLLY)["names"], strict=True):
        assert set(wanted) <= set(names)


def test_another_layout_of_tfp():
    assert said(LAID_OUT_OTHERWISE) == [True, True, True]
