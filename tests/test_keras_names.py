"""Keras' files name classes of hvp that need not be imported yet."""

from __future__ import annotations

import types

import keras
import pytest

from hvp.keras_names import CLASSES, register
from hvp.registry import load


@pytest.mark.parametrize("reference", CLASSES)
def test_a_name_stands_for_its_class(reference):
    known = {}

    def remember(package, name):
        return lambda named: known.setdefault(f"{package}>{name}", named)

    register(
        types.SimpleNamespace(saving=types.SimpleNamespace(register_keras_serializable=remember))
    )
    found = load(reference)
    assert keras.saving.get_registered_object(f"hvp>{found.__name__}") is found
    assert known[f"hvp>{found.__name__}"].reference == reference


def test_an_object_is_of_the_class_that_is_named():
    found = load("hvp.training.schedules:WarmUpCosine")
    known = []
    saving = types.SimpleNamespace(register_keras_serializable=lambda *name: known.append)
    register(types.SimpleNamespace(saving=saving))
    (named,) = (stub for stub in known if stub.__name__ == "WarmUpCosine")
    schedule = named.from_config({"highest": 1.0, "total_steps": 10, "warmup_steps": 2})
    assert type(schedule) is found
    assert float(schedule(0)) == 0.5
