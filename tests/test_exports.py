"""Packages load what they export when it is first used; every such name is there."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import hvp

PACKAGES = ["hvp", *(f"hvp.{module.name}" for module in pkgutil.iter_modules(hvp.__path__))]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_exported_name_is_there(name):
    package = importlib.import_module(name)
    for exported in dir(package):
        assert getattr(package, exported) is not None


def test_editors_see_what_loads_on_first_use():
    tree = ast.parse(Path(hvp.__file__).read_text("utf-8"))
    seen = {
        name.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if name.asname
    }
    assert sorted(seen) == dir(hvp)
    for name, module in seen.items():
        assert getattr(importlib.import_module(module), name) is getattr(hvp, name)
