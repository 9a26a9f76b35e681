"""Names that folders and files of ours can have."""

from __future__ import annotations

import pytest

from hvp.text import name_problem


@pytest.mark.parametrize("name", ["kth", "a b", "ä" * 40, "run-2.1_x", "a..b", "[x]"])
def test_names_that_folders_can_have(name):
    assert name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "a plain name without slashes"),
        ("a/b", "a plain name without slashes"),
        ("a\\b", "a plain name without slashes"),
        ("..", "a name that does not begin with a dot"),
        (".hidden", "a name that does not begin with a dot"),
        ("a\0b", "a name of plain characters"),
        ("a\nb", "a name of plain characters"),
        ("a\x7fb", "a name of plain characters"),
        ("a\udcff", "a name of plain characters"),
        ("ä" * 41, "a name of at most 80 bytes"),
    ],
)
def test_names_that_they_cannot(name, problem):
    found = name_problem(name)
    assert found.startswith("is ")
    assert found.endswith(f"; use {problem}")
