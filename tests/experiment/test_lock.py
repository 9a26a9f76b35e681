"""One process at a time in a folder, and folders that appear whole."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from hvp.errors import UserError
from hvp.experiment.lock import clear_unfinished, only_process, whole_folder

HOLD = """
import sys, time
from pathlib import Path
from hvp.experiment.lock import only_process, whole_folder
with only_process(Path(sys.argv[1]), "trains"), whole_folder(Path(sys.argv[1]), "eval") as folder:
    (folder.path / "half").write_text("")
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that works in `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_process_is_told_of_the_first_whose_kill_releases(tmp_path, holder):
    message = f"process {holder.pid} on {socket.gethostname()} trains there"
    with pytest.raises(UserError, match=message), only_process(tmp_path, "trains"):
        pass
    clear_unfinished(tmp_path)
    assert len(list(tmp_path.glob(".unfinished-eval-*/half"))) == 1
    holder.kill()
    holder.wait()
    with only_process(tmp_path, "trains"):
        clear_unfinished(tmp_path)
    assert os.listdir(tmp_path) == [".lock"]


def test_a_folder_appears_when_it_is_complete(tmp_path):
    for name in ("eval", "eval-1", "eval-2"):
        with whole_folder(tmp_path, "eval") as folder:
            (folder.path / "report").write_text(name)
            assert not (tmp_path / name).exists()
        assert folder.path == tmp_path / name
        assert (tmp_path / name / "report").read_text() == name

    def interrupted():
        with whole_folder(tmp_path, "other") as folder:
            (folder.path / "half").write_text("")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sorted(os.listdir(tmp_path)) == ["eval", "eval-1", "eval-2"]


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write to"), whole_folder(tmp_path / "file", "x"):
        pass
