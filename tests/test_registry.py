"""Names of the package's own things, of a user's own and of installed packages."""

from __future__ import annotations

import sys
from fractions import Fraction

import pytest

from hvp.errors import UserError
from hvp.registry import Registry


@pytest.fixture
def registry():
    return Registry("number", {"third": "fractions:Fraction"}, "hvp.numbers")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Makes an installed package `name` with entry points of the group hvp.numbers."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(name, points, module=""):
        (tmp_path / f"{name}.py").write_text(module)
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text("[hvp.numbers]\n" + "\n".join(points) + "\n")

    yield make
    for name in ("good", "broken", "rival"):
        sys.modules.pop(name, None)


def test_own_and_registered(registry):
    half = define()
    registry.register("half", half)
    assert registry.names() == ["third", "half"]
    assert registry.find("third", "n") is Fraction
    assert registry.find("half", "n") is half
    with pytest.raises(UserError, match=r"^model.number is 'haf'; did you mean 'half'\?$"):
        registry.find("haf", "model.number")
    with pytest.raises(UserError, match="is 'xyz'; valid: third, half"):
        registry.find("xyz", "n")


def define():
    class Half:
        pass

    return Half


@pytest.mark.parametrize("name", ["third", "half"])
def test_names_that_are_taken(registry, name):
    registry.register("half", define())
    again = define()
    registry.register("half", again)  # as a notebook's cell does that runs twice
    assert registry.find("half", "n") is again
    with pytest.raises(UserError, match=f"number '{name}' is there already"):
        registry.register(name, dict)


def test_objects_too(registry):
    for half in (Fraction(1, 2), Fraction(2, 4)):
        registry.register("half", half)
        assert registry.find("half", "n") is half
    with pytest.raises(UserError, match="number 'half' is there already"):
        registry.register("half", 0.5)


@pytest.mark.parametrize("name", ["", "a b", "../up", None])
def test_names_that_are_none(registry, name):
    with pytest.raises(UserError, match="a name consists of letters"):
        registry.register(name, dict)


def test_installed_packages(registry, install):
    install("good", ["seven = good:NUMBER"], "NUMBER = 7")
    install(
        "broken", ["eight = broken:NUMBER", "nine = broken:NUMBER"], "raise OSError('no\\nGPU')"
    )
    assert set(registry.names()) == {
        "third", "eight", "nine", "seven"
    }  # fmt: skip
    assert "good" not in sys.modules  # nothing is imported for its name
    assert registry.find("seven", "n") == 7
    with pytest.raises(UserError, match="of the package broken, which cannot be imported: OSError"):
        registry.find("eight", "n")
    with pytest.raises(UserError, match="'seven' is there already"):
        registry.register("seven", dict)


def test_an_installed_package_may_register_its_own(registry, install):
    install("good", ["seven = good:Seven"], "class Seven: pass")
    found = registry.find("seven", "n")
    registry.register("seven", found)
    assert registry.find("seven", "n") is found


def test_packages_that_give_the_same_name(registry, install):
    install("rival", ["third = rival:NUMBER"], "NUMBER = 3")
    with pytest.raises(UserError, match="'third', which several packages give: hvp, rival; rename"):
        registry.find("third", "n")
    assert "rival" not in sys.modules
