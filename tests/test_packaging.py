"""hvp outside its checkout: the packaged configurations, and the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from hvp.config import load_config
from hvp.config_files import find_config, packaged_configs
from hvp.errors import UserError

ROOT = Path(__file__).resolve().parents[1]


def run(*arguments, cwd, path=None):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [*map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.parametrize("named", ["kth", "configs/kth.yml"])
def test_packaged_configurations_are_found_from_any_folder(named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config(named)
    assert config.name == "kth"
    assert config.data.dataset == "kth"


def test_files_come_before_packaged_configurations(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("configs").mkdir()
    Path("configs/kth.yml").write_text("name: mine\n")
    Path("kth").mkdir()  # a folder of data is no configuration
    assert load_config("configs/kth.yml").name == "mine"
    assert find_config("kth") == packaged_configs() / "kth.yml"


def test_own_files_start_from_packaged_ones(tmp_path):
    (tmp_path / "mine.yml").write_text("base: kth\ntraining: {steps: 3}\n")
    config = load_config(tmp_path / "mine.yml")
    assert (config.name, config.data.dataset, config.training.steps) == ("mine", "kth", 3)


def test_a_mistyped_name_is_answered_with_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^kht: no such configuration file; did you mean 'kth'"):
        load_config("kht")
    with pytest.raises(UserError, match=r"valid: base, .*demo"):
        load_config("zzzzzzz")
    with pytest.raises(UserError, match=r"elsewhere/kth\.yml: no such configuration file"):
        load_config("elsewhere/kth.yml")


def test_an_installed_package_brings_its_configurations(tmp_path):
    """As the wheel lays them out, but without building it."""
    shutil.copytree(ROOT / "hvp", tmp_path / "site/hvp")
    shutil.copytree(ROOT / "configs", tmp_path / "site/hvp/configs")
    (tmp_path / "work").mkdir()
    code = "import hvp; print(hvp.__file__, hvp.load_config('demo').source)"
    result = run(sys.executable, "-c", code, cwd=tmp_path / "work", path=tmp_path / "site")
    assert result.stdout.split() == [
        str(tmp_path / "site/hvp/__init__.py"),
        str(tmp_path / "site/hvp/configs/demo.yml"),
    ], result.stderr


@pytest.mark.slow
def test_wheel_trains_outside_the_checkout(tmp_path):
    """Builds the wheel (from the sdist, in isolation: needs a network) and trains with it."""
    pytest.importorskip("build.__main__", reason="needs the package `build`")
    built = run(sys.executable, "-m", "build", "--outdir", tmp_path / "dist", ROOT, cwd=tmp_path)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=tmp_path)
    (site,) = venv.glob("lib/python*/site-packages")
    installed = run(
        *(sys.executable, "-m", "pip", "--python", venv / "bin/python"),
        *("install", "--no-deps", wheel),
        cwd=tmp_path,
    )
    assert installed.returncode == 0, installed.stdout + installed.stderr
    # Dependencies come from this environment; hvp itself from the wheel, which is found before it.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    work = tmp_path / "work"
    work.mkdir()
    small = ["training.steps=2", "data.train_videos=8", "training.batch_size=2"]
    small += ["training.validate_every=0", "training.gifs_every=0"]
    overrides = [part for key in small for part in ("--set", key)]
    command = (venv / "bin/hvp", "train")
    trained = run(*command, "--config", "demo", *overrides, cwd=work)
    assert trained.returncode == 0, trained.stdout + trained.stderr
    assert (work / "logs/demo/model/ckpt-2.index").is_file()
    where = run(venv / "bin/python", "-c", "import hvp; print(hvp.__file__)", cwd=work)
    assert where.stdout.startswith(str(site))
