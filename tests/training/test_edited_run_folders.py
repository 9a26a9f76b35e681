"""Run folders that something else wrote to: a run goes on to the same end, or is refused in a line.

`HVP_CAMPAIGN_SEED=1 pytest -s -m campaign tests/training/test_edited_run_folders.py` tries 200.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tiny_family
from run_files import all_values, eager_functions, quiet_train
from time_limits import no_hang

from hvp.__main__ import main
from hvp.config import load_config

OVERRIDES = ["training.checkpoint_every=1", "training.validate_every=1"]
OUTSIDE = Path(__file__).with_name("outside.txt")  # that links lead to; nobody writes there


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with `tiny.yml`, `part` of 3 steps and `whole` of 4."""
    from hvp.families import FAMILIES

    folder = tmp_path_factory.mktemp("runs")
    (folder / "tiny.yml").write_text(tiny_family.CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FAMILIES._others, "_registered", dict(FAMILIES._others._registered))
        tiny_family.register()
        for name, steps in (("part", 3), ("whole", 4)):
            settings = [*OVERRIDES, f"training.steps={steps}"]
            quiet_train(load_config(folder / "tiny.yml", settings), folder / name)
        yield folder


@pytest.fixture
def runs(trained, tmp_path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(trained, tmp_path / "runs"))


def edit(folder: Path, random: np.random.Generator) -> str:
    """Damages one file of a run in one way; says which and how."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = files[random.integers(len(files))]
    content = path.read_bytes()
    place = int(random.integers(max(len(content), 1)))
    way = str(
        random.choice(["remove", "cut", "empty", "flip", "garbage", "link", "fifo", "folder"])
    )
    path.unlink()
    if way == "cut":
        path.write_bytes(content[:place])
    elif way == "empty":
        path.touch()
    elif way == "flip" and content:
        flipped = content[place] ^ int(random.integers(1, 256))
        path.write_bytes(content[:place] + bytes([flipped]) + content[place + 1 :])
    elif way in ("garbage", "flip"):
        path.write_bytes(random.bytes(len(content) + 7))
    elif way == "link":
        path.symlink_to(OUTSIDE)
    elif way == "fifo":
        os.mkfifo(path)
    elif way == "folder":
        path.mkdir()
    return f"{way} {path.relative_to(folder)}"


def try_edits(runs: Path, capsys, count: int, seed: int) -> Counter:
    """Every edited run, trained on by one step, ends as the whole one did or is refused."""
    random, outcomes = np.random.default_rng(seed), Counter()
    expected, outside = all_values(runs / "whole/tiny"), OUTSIDE.read_bytes()
    settings = [word for o in (*OVERRIDES, "training.steps=4") for word in ("--set", o)]
    for number in range(count):
        logs = Path(shutil.copytree(runs / "part", runs / str(number)))
        what = edit(logs / "tiny", random)
        command = ["train", "--config", str(runs / "tiny.yml"), "--logdir", str(logs), *settings]
        with no_hang(), eager_functions():
            code = main(command)
        errors = capsys.readouterr().err
        assert code in (0, 2), (what, errors)
        assert "Traceback" not in errors, (what, errors)
        if code == 2:
            assert errors.splitlines()[-1].startswith("error: "), (what, errors)
        else:
            values = all_values(logs / "tiny")
            assert values.keys() == expected.keys(), what
            assert all((values[name] == expected[name]).all() for name in expected), what
        outcomes["refused" if code else "went on"] += 1
        shutil.rmtree(logs)
    assert OUTSIDE.read_bytes() == outside
    return outcomes


@pytest.mark.parametrize("way", [os.mkfifo, lambda path: path.symlink_to(OUTSIDE)])
@pytest.mark.parametrize(
    "name", ["model/ckpt-3.index", "model/ckpt-3.json", "model/best/score.json", ".lock"]
)
def test_a_pipe_or_link_in_a_files_place(runs, capsys, name, way):
    path = runs / "part/tiny" / name
    path.unlink()
    way(path)
    outside = OUTSIDE.read_bytes()
    settings = [word for o in (*OVERRIDES, "training.steps=4") for word in ("--set", o)]
    command = ["train", "--config", str(runs / "tiny.yml"), "--logdir", str(runs / "part")]
    with no_hang(), eager_functions():
        assert main([*command, *settings]) == 0
    expected, values = all_values(runs / "whole/tiny"), all_values(runs / "part/tiny")
    assert all((values[name] == expected[name]).all() for name in expected)
    assert OUTSIDE.read_bytes() == outside


@pytest.mark.slow
def test_some_edits(runs, capsys):
    assert try_edits(runs, capsys, 20, seed=0)["went on"] > 5


@pytest.mark.campaign
def test_two_hundred_edits(runs, capsys):
    seed = int(os.environ.get("HVP_CAMPAIGN_SEED", "0"))
    outcomes = try_edits(runs, capsys, 200, seed)
    with capsys.disabled():
        print(f"edits of run folders, seed {seed}: {dict(outcomes)}")
    assert outcomes["went on"] > 50
