"""Names that folders and files of ours can have."""

from __future__ import annotations

import pytest

from hvp.text import folder_names, name_problem, printable, shortened


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


def test_names_of_folders_and_how_names_are_shown(tmp_path):
    paths = [tmp_path / name for name in ("a.avi", "b.avi", "B.mp4", "..c d?.gif", "\udcff\n.mov")]
    (tmp_path / "frames.v2").mkdir()
    paths += [tmp_path / "frames.v2", tmp_path / "other" / "b.avi", tmp_path / ("x" * 200)]
    names = folder_names(paths)
    assert names[:4] == ["a", "b", "B.mp4", "c_d_"]
    assert names[4:7] == ["_udcff_n", "frames.v2", "b.avi"]
    assert names[7] == "x" * 80
    assert folder_names([tmp_path / "1" / "a.avi"] * 4) == ["a", "a.avi", "a-2", "a-3"]
    assert folder_names([tmp_path / "a"], taken=["A"]) == ["a-2"]
    assert printable("a\udcff\nb é") == "a\\udcff\\nb é"
    assert shortened("abcdefghij", 5) == "ab…ij"
    assert shortened("abcde", 5) == "abcde"
