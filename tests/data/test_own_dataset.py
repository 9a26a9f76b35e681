"""A user's own data set, from outside of the package: `example_dataset.py`, as docs show it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hvp
from hvp.config import DataConfig
from hvp.data import DataSet
from hvp.data.sources import DATA_SETS
from hvp.errors import UserError

TRAIN = Path(__file__).parents[2] / "train.py"
EXAMPLE = Path(__file__).with_name("example_dataset.py")


@pytest.fixture
def days(tmp_path):
    """Four days of 24 hours."""
    (tmp_path / "rain/2024").mkdir(parents=True)
    random = np.random.default_rng(0)
    for day in range(4):
        frames = random.integers(256, size=(24, 40, 40), dtype=np.uint8)
        np.save(tmp_path / f"rain/2024/{day}.npy", frames)
    return tmp_path / "rain"


@pytest.fixture
def installed(tmp_path):
    """A folder on the path as pip would leave it: the example, and two that cannot be used."""
    folder = tmp_path / "site"
    (folder / "radar-1.0.dist-info").mkdir(parents=True)
    shutil.copy(EXAMPLE, folder)
    (folder / "torn.py").write_text("import nothing_of_this_name\n")
    (folder / "radar-1.0.dist-info/METADATA").write_text("Name: radar\nVersion: 1.0\n")
    (folder / "radar-1.0.dist-info/entry_points.txt").write_text(
        "[hvp.datasets]\nrain = example_dataset:Rain\ntorn = torn:Torn\nkth = torn:Other\n"
    )
    return folder


def run(installed, code):
    path = os.pathsep.join([str(installed), str(Path(hvp.__file__).parents[1])])
    return subprocess.run(
        [sys.executable, "-c", f"from hvp.__main__ import main\n{code}"],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_it_is_short():
    assert len(EXAMPLE.read_text().splitlines()) <= 40


@pytest.mark.slow
def test_the_commands_know_an_installed_one(days, installed, small_config):
    """Prepared and trained for two steps in a process that has never seen this test's code."""
    prepare = ["prepare", "rain", "--source", str(days), "--out", "prepared"]
    train = ["train.py", "--config", str(small_config), "--datadir", "prepared"]
    train += ["--set", "data.dataset=rain", "--set", "training.steps=2"]
    done = run(
        installed,
        f"import sys, runpy\nassert main({prepare}) == 0\n"
        f"assert main({[*prepare, '--check']}) == 0\n"
        f"sys.argv = {train}\nrunpy.run_path({str(TRAIN)!r}, run_name='__main__')",
    )
    assert done.returncode == 0, done.stderr
    assert "used in the papers as: 4 -> 8 hours at 32x32" in done.stdout
    assert list((installed.parent / "logs/small/model").glob("ckpt-2*"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("torn", "'torn', of the package radar, which cannot be imported: ModuleNotFoundError"),
        ("kth", "'kth', which several packages give: hvp, radar; rename or uninstall one"),
        ("rian", "'rian'; did you mean 'rain'?"),
        ("rain", "it should hold a folder 2024/ with an array"),
    ],
)
def test_a_broken_package_is_one_line(installed, name, expected):
    (installed.parent / "empty").mkdir()
    done = run(
        installed,
        f"import sys\ncode = main(['prepare', {name!r}, '--source', 'empty', '--out', 'out'])\n"
        "assert 'tensorflow' not in sys.modules\nsys.exit(code)",
    )
    assert done.returncode == 2
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.fixture
def registered():
    """`register(class)` for one test."""
    before = dict(DATA_SETS._registered)
    yield hvp.register_dataset
    DATA_SETS._registered = before


def test_registered_in_a_script(days, tmp_path, registered):
    scope = {"__name__": "script"}
    exec(EXAMPLE.read_text(), scope)
    config = DataConfig(
        dataset="rain", datadir=str(days), height=16, width=16, seq_len=6, cache_dir=str(tmp_path)
    )
    assert hvp.data.VideoSplit(config, "train").num_windows == 12
    batch = next(iter(hvp.data.make_dataset(config, "test", batch_size=3)))
    assert batch.shape == (3, 6, 16, 16, 1)
    exec(EXAMPLE.read_text(), scope)  # as a notebook's cell that runs twice


def test_what_is_no_data_set(registered):
    class Nameless(DataSet):
        advice = "there is no way to get it"

    class Taken(DataSet):
        name, advice = "kth", "there is no way to get it"

    for found, expected in (
        (Nameless, "Nameless lacks name"),
        (Taken, "data set 'kth' is there already"),
        (DataConfig, "is no subclass of hvp.data.DataSet"),
        ("module:Class", "is no subclass of hvp.data.DataSet"),
    ):
        with pytest.raises(UserError, match=expected):
            registered(found)
