"""Lazy package attributes (PEP 562), so that `import hvp` does not import TensorFlow."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from hvp.quiet import quiet_import


def lazy_exports(
    package: str, exports: Mapping[str, str], submodules: tuple[str, ...] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Returns `(__getattr__, __dir__)` for a package whose names load on first use.

    Args:
        package: the package's `__name__`.
        exports: public name -> module that defines it.
        submodules: public submodules, loaded on first use too.
    """

    def __getattr__(name: str) -> Any:
        if name in exports:
            return getattr(_imported(exports[name]), name)
        if name in submodules:
            return _imported(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted([*exports, *submodules])

    return __getattr__, __dir__


def _imported(module: str) -> ModuleType:
    with quiet_import():
        return importlib.import_module(module)
