"""A user's own family, from outside of the package: `example_family.py`, as docs show it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hvp
from hvp.config import parse_config
from hvp.errors import UserError
from hvp.families import FAMILIES, Families, Family, model_config_class

EXAMPLE = Path(__file__).with_name("example_family.py")

CONFIG = """\
name: drifting
data: {dataset: moving_shapes, height: 16, width: 16, seq_len: 6, train_videos: 8, test_videos: 4}
training:
  batch_size: 4
  steps: 3
  learning_rate: 0.1
  adam_epsilon: 1.0e-8
  gifs_every: 3
  validate_every: 0
evaluation: {context: 3, seq_len: 6}
"""


@pytest.fixture
def installed(tmp_path):
    """A folder on the path as pip would leave it: the example, and what cannot be used."""
    folder = tmp_path / "site"
    (folder / "drifts-1.0.dist-info").mkdir(parents=True)
    shutil.copy(EXAMPLE, folder)
    (folder / "torn.py").write_text("import nothing_of_this_name\n")
    (folder / "other.py").write_text(
        "import hvp\nNONE = 1\nHALF = hvp.Family('torn:Config', 'torn:Model')\n"
        "BARE = hvp.Family(dict, 'torn:Model')\n"
    )
    (folder / "drifts-1.0.dist-info/METADATA").write_text("Name: drifts\nVersion: 1.0\n")
    (folder / "drifts-1.0.dist-info/entry_points.txt").write_text(
        "[hvp.families]\ndrift = example_family:DRIFT\ntorn = torn:TORN\nsdfnet = torn:SDFNET\n"
        "none = other:NONE\nhalf = other:HALF\nbare = other:BARE\n"
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
        timeout=600,
        check=False,
    )


def test_it_is_short():
    assert len(EXAMPLE.read_text().splitlines()) <= 40


@pytest.mark.slow
def test_the_commands_know_an_installed_one(installed):
    """Trained and predicting in a process that has never seen this test's code."""
    folder = installed.parent
    (folder / "drifting.yml").write_text(CONFIG)
    ramp = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.full((16, 16, 1), 20, np.uint8)
    np.save(folder / "ramp.npy", ramp)
    train = ["train", "--config", "drifting.yml", "--set", "model.family=drift"]
    train += ["--set", "model.share=0.5"]
    predict = ["predict", "--logdir", "logs/drifting", "--input", "ramp.npy", "--out", "out"]
    predict += ["--context", "3", "--horizon", "2", "--format", "npz"]
    done = run(
        installed,
        f"assert main({train}) == 0\n"
        f"assert main({predict}) == 0\n"
        "from hvp.experiment.checkpoints import load_experiment\n"
        "_, model, step = load_experiment('logs/drifting')\n"
        "print(step, float(model.share))",
    )
    assert done.returncode == 0, done.stderr
    assert "model: drift, 1 parameters" in done.stdout
    step, share = done.stdout.splitlines()[-1].split()
    assert step == "3"
    assert 0.1 < abs(float(share) - 0.5) < 0.4  # three steps of Adam, 0.1 each
    with np.load(folder / "out/ramp/prediction.npz") as prediction:
        samples = prediction["samples"]
    expected = 40 + 20 * np.cumsum(float(share) ** np.arange(1, 3))
    np.testing.assert_allclose(samples[0, :, 0, 0, 0], expected, atol=1)


def test_what_cannot_be_used_is_one_line(installed):
    """All in one process: none of them disturbs the next."""
    names = ["torn", "sdfnet", "none", "half", "bare", "drfit"]
    done = run(
        installed,
        "import json, sys\nfrom hvp.config import parse_config\nfrom hvp.errors import UserError\n"
        f"errors = {{}}\nfor name in {names}:\n"
        "    try:\n        parse_config({'name': 'a', 'model': {'family': name}}, 'mine.yml')\n"
        "    except UserError as error:\n        errors[name] = str(error)\n"
        "parse_config({'name': 'a', 'model': {'family': 'dfdnet'}}, 'mine.yml')\n"
        "assert 'tensorflow' not in sys.modules\nprint(json.dumps(errors))",
    )
    assert done.returncode == 0, done.stderr
    errors = json.loads(done.stdout)
    expected = {
        "torn": "'torn', of the package drifts, which cannot be imported: ModuleNotFoundError: No",
        "sdfnet": "'sdfnet', which hvp has and an installed package gives as well; rename",
        "none": "'none': 1 is no hvp.Family",
        "half": "'half': its config torn:Config cannot be imported: ModuleNotFoundError",
        "bare": "'bare': <class 'dict'> is no dataclass with a field 'family'",
        "drfit": "'drfit'; did you mean 'drift'?",
    }
    for name, text in expected.items():
        assert f"model.family is {text}" in errors[name]
        assert "\n" not in errors[name]


@pytest.fixture
def registered():
    """`register_family` for one test."""
    before = dict(FAMILIES._others._registered)
    yield hvp.register_family
    FAMILIES._others._registered = before


def test_registered_in_a_script(registered, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLE.parent)
    from example_family import Drift, DriftConfig

    for _ in range(2):  # as a notebook's cell that runs twice
        registered("drift", DriftConfig, Drift)
    config = parse_config(
        {"name": "a", "data": {"height": 16, "width": 16}, "model": {"family": "drift"}}, "a.yml"
    )
    model = hvp.build_model(config)
    assert (type(model), float(model.share)) == (Drift, 0.5)
    assert "drift" in FAMILIES
    assert len(FAMILIES) == len(list(FAMILIES)) == len(list(Families())) + 1
    assert not FAMILIES["drift"].generates


def test_names_that_are_taken(registered):
    with pytest.raises(UserError, match="model family 'sdfnet' is there already"):
        registered("sdfnet", "a:Config", "a:Model")
    with pytest.raises(UserError, match="a name consists of letters"):
        registered("../up", "a:Config", "a:Model")
    with pytest.raises(KeyError):
        FAMILIES["unheard"]
    registered("half", dict, "a:Model")
    assert FAMILIES["half"] == Family(dict, "a:Model")
    with pytest.raises(UserError, match="is no dataclass with a field 'family'"):
        model_config_class("half")
