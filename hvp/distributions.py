"""TensorFlow Probability's distributions that hvp uses, imported without the others.

`tfp.distributions` imports all of its hundred distributions, what transforms them, and tf-keras,
which a few of those need: half a second of every command's start. The classes here are TFP's own,
the very ones that `tfp.distributions` has for who imports it afterwards.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# First and as it is: where TensorFlow was imported before it, it loads all of its packages.
import tensorflow_probability as tfp
import wrapt

PACKAGES = ("bijectors", "distributions", "math", "util")  # whose `__init__` imports all they have
__all__ = [
    "NOT_REPARAMETERIZED",
    "Bernoulli",
    "Distribution",
    "Independent",
    "Laplace",
    "Logistic",
    "Normal",
    "ParameterProperties",
    "kl_divergence",
]


@contextmanager
def _module_by_module() -> Iterator[None]:
    """Modules of these packages are imported without their package meanwhile."""
    stand_ins = {f"tensorflow_probability.python.{name}": name for name in PACKAGES}
    stand_ins = {full: name for full, name in stand_ins.items() if full not in sys.modules}
    for full, name in stand_ins.items():
        package = types.ModuleType(full)
        package.__path__ = [str(Path(tfp.__file__).parent / "python" / name)]
        sys.modules[full] = package
    try:
        yield
    finally:
        for full in stand_ins:
            del sys.modules[full]
            wrapt.register_post_import_hook(_name_its_modules, full)


def _name_its_modules(package: types.ModuleType) -> None:
    """What Python does where a module is imported after its package."""
    for full, module in list(sys.modules.items()):
        parent, _, name = full.rpartition(".")
        if parent == package.__name__:
            vars(package).setdefault(name, module)


try:
    with _module_by_module():
        from tensorflow_probability.python.distributions.bernoulli import Bernoulli
        from tensorflow_probability.python.distributions.distribution import Distribution
        from tensorflow_probability.python.distributions.independent import Independent
        from tensorflow_probability.python.distributions.kullback_leibler import kl_divergence
        from tensorflow_probability.python.distributions.laplace import Laplace
        from tensorflow_probability.python.distributions.logistic import Logistic
        from tensorflow_probability.python.distributions.normal import Normal
        from tensorflow_probability.python.internal.parameter_properties import ParameterProperties
        from tensorflow_probability.python.internal.reparameterization import NOT_REPARAMETERIZED
except (ImportError, AttributeError):  # a TFP whose modules lie elsewhere
    tfd = tfp.distributions
    Bernoulli, Distribution, Independent = tfd.Bernoulli, tfd.Distribution, tfd.Independent
    Laplace, Logistic, Normal = tfd.Laplace, tfd.Logistic, tfd.Normal
    NOT_REPARAMETERIZED, kl_divergence = tfd.NOT_REPARAMETERIZED, tfd.kl_divergence
    ParameterProperties = tfp.util.ParameterProperties
