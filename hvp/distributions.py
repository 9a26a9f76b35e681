"""TensorFlow Probability's distributions that hvp uses, imported without the others.

`tfp.distributions` imports all of its hundred distributions, what transforms them, and tf-keras and
SciPy, which a few of those need: half a second of every command's start. The classes here are TFP's
own, the very ones that `tfp.distributions` has for who imports it afterwards.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

# First and as it is: where TensorFlow was imported before it, it loads all of its packages.
import tensorflow_probability as tfp
import wrapt

from hvp.quiet import Later, imported_as

# What TFP's NumPy functions use, of which distributions of tensors need the shapes' arithmetic.
RARELY_NEEDED = ("scipy.linalg", "scipy.special")
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
    with ExitStack() as stack:
        for name in RARELY_NEEDED:
            stack.enter_context(imported_as(name, Later(name)))
        for name in PACKAGES:
            package = types.ModuleType(f"tensorflow_probability.python.{name}")
            package.__path__ = [str(Path(tfp.__file__).parent / "python" / name)]
            wrapt.register_post_import_hook(_name_its_modules, package.__name__)
            stack.enter_context(imported_as(package.__name__, package))
        yield


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
