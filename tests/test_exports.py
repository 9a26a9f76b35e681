"""Packages load what they export when it is first used; every such name is there."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import hvp

PACKAGES = ["hvp", *(f"hvp.{module.name}" for module in pkgutil.iter_modules(hvp.__path__))]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_exported_name_is_there(name):
    package = importlib.import_module(name)
    for exported in dir(package):
        assert getattr(package, exported) is not None
