"""Files are replaced whole or not at all, and a place is tried before the work."""

from pathlib import Path

import pytest

from hvp.errors import UserError
from hvp.files import cache_folder, replacing, require_writable


@pytest.mark.parametrize("alone", [True, False])
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, alone):
    path = tmp_path / "numbers.json"
    path.write_text("old")
    with pytest.raises(UserError, match="disk is full"), replacing(path, alone) as temporary:  # noqa: PT012
        temporary.write_text("half of the n")
        raise OSError(28, "No space left on device")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with replacing(path, alone) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "frames.npy"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # left last


def test_what_a_killed_process_left_is_overwritten_by_the_next(tmp_path):
    path = tmp_path / "shard"
    Path(f"{path}.partial").write_text("gigabytes")
    with replacing(path, alone=True) as temporary:
        temporary.write_text("whole")
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_is_tried_before_the_work(tmp_path):
    folder = tmp_path / "new" / "folder"
    require_writable(folder)
    assert list(folder.iterdir()) == []
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="choose a folder that you can write to"):
        require_writable(tmp_path / "file")


def test_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("HVP_CACHE_DIR", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder("frames") == tmp_path / "home/.cache/hvp/frames"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder("frames") == tmp_path / "xdg/hvp/frames"
    monkeypatch.setenv("HVP_CACHE_DIR", str(tmp_path / "own"))
    assert cache_folder("frames") == tmp_path / "own/frames"
