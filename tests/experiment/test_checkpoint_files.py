"""Checkpoints on disk: damaged, incomplete, lost, in folders with hostile names."""

from __future__ import annotations

import json
import os
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.config import load_config
from hvp.errors import UserError
from hvp.experiment.checkpoint_files import CheckpointFiles
from hvp.experiment.checkpoints import RunCheckpoints
from hvp.experiment.choosing import choose_checkpoint, find_checkpoint
from hvp.experiment.folder import clear_leftovers, open_run_folder


class Model:
    """As much of a `VideoModel` as a checkpoint takes: one variable, whose value is the step."""

    def __init__(self):
        with keras.name_scope("model"):
            self.weight = keras.Variable(np.zeros(64, np.float32), name="weight")
        self.variables, self.optimizers = [self.weight], {}


@pytest.fixture
def run(tmp_path):
    """A run's folder with the checkpoints 2, 4 and 6, and 4 as the best."""
    folder = tmp_path / "run"
    (folder / "model").mkdir(parents=True)
    save(folder, 2, 4, 6)
    return folder


def save(folder, *steps):
    checkpoints = RunCheckpoints(folder, Model(), keep=3)
    (variable,) = checkpoints.checkpoint.model.values()
    for step in steps:
        variable.assign(np.full(64, step, np.float32))
        checkpoints.save(step)
        checkpoints.save_if_best(step, "loss", abs(step - 4.0))


def restored(folder, checkpoint="latest"):
    """The step of what is restored, and the notes."""
    notes = []
    checkpoints = RunCheckpoints(folder, Model(), keep=3)
    step = checkpoints.restore(checkpoint, notes.append)
    (variable,) = checkpoints.checkpoint.model.values()
    np.testing.assert_array_equal(variable.numpy(), np.full(64, step, np.float32))
    return step, notes


def truncate(path):
    path.write_bytes(path.read_bytes()[:-10])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


def exchange(path):
    """For another checkpoint's file of the same size."""
    shutil.copy(path.with_name(path.name.replace("ckpt-6", "ckpt-2")), path)


def empty(path):
    path.write_bytes(b"")


def remove(path):
    path.unlink()


def append(path):
    path.write_bytes(path.read_bytes() + b"x")


def loop(path):
    path.unlink()
    path.symlink_to(path)


DAMAGES = [truncate, flip, zero, replace_by_folder, exchange, empty, remove, append, loop]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("ending", ["index", "data-00000-of-00001"])
def test_a_damaged_newest_checkpoint_is_passed_over_with_a_note(run, damage, ending):
    damage(run / f"model/ckpt-6.{ending}")
    step, (note,) = restored(run)
    assert step == 4
    assert f"ckpt-6: ckpt-6.{ending} " in note or damage is exchange
    assert note.endswith("; taking ckpt-4")
    with pytest.raises(UserError, match=r"ckpt-6: cannot be read .*kept: 2, 4, 6; .*--checkpoint"):
        restored(run, 6)


@pytest.mark.parametrize("damage", [truncate, flip, zero, empty, remove])
def test_a_damaged_one_without_checksums_is_found_by_reading(run, damage):
    """As checkpoints were written before."""
    for path in (run / "model").glob("*.json"):
        path.unlink()
    assert restored(run) == (6, [])
    damage(run / "model/ckpt-6.data-00000-of-00001")
    step, (note,) = restored(run)
    assert step == 4
    assert "\n" not in note


def test_none_that_is_whole_is_an_error_and_not_a_new_start(run):
    for path in (run / "model").glob("*.index"):
        flip(path)
    with pytest.raises(UserError, match=r"no checkpoint can be read \(ckpt-6: .*; ckpt-2: ") as it:
        restored(run)
    assert "\n" not in str(it.value)


@pytest.mark.parametrize("content", [None, b"", b"\xff\x00garbage", b'model_checkpoint_path: "x"'])
def test_tensorflows_state_file_may_be_lost_or_wrong(run, content):
    for path in (run / "model/checkpoint", run / "model/best/checkpoint"):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
    assert restored(run) == (6, [])
    assert restored(run, "best") == (4, [])


def test_tensorflows_own_functions_find_the_newest(run):
    assert tf.train.latest_checkpoint(str(run / "model")) == str(run / "model/ckpt-6")


@pytest.mark.parametrize(
    "content", ["", "nonsense", "[]", "{}", '{"metric": 1, "value": "x", "step": 4}', "[" * 10**5]
)
def test_a_lost_score_is_no_traceback(run, content):
    (run / "model/best/score.json").write_text(content)
    assert restored(run, "best") == (4, [])
    save(run, 8)
    assert json.loads((run / "model/best/score.json").read_text())["step"] == 8
    assert restored(run, "best")[0] == 8


def test_a_kill_between_the_best_checkpoint_and_its_score(run):
    for path in (run / "model").glob("ckpt-6.*"):
        shutil.copy(path, run / "model/best")
    assert restored(run, "best") == (4, [])


def test_going_back_drops_what_came_later(run):
    assert restored(run, "2") == (2, [])
    save(run, 3)
    assert CheckpointFiles(run / "model").steps() == [2, 3]
    assert restored(run) == (3, [])


@pytest.mark.parametrize("which", ["5", "-1", "1e3", "newest", "6.5", "9" * 30])
def test_a_checkpoint_that_is_not_there(run, which):
    with pytest.raises(UserError, match=r"no checkpoint .*kept: 2, 4, 6"):
        choose_checkpoint(run, which)


@pytest.mark.parametrize("name", ["a[1]", "b*c?", "back\\slash", "{x,y}", "sp ace", "é\n"])
def test_any_name_that_is_text_works(tmp_path, name):
    """TensorFlow's reader takes paths for patterns."""
    folder = tmp_path / name
    (folder / "model").mkdir(parents=True)
    save(folder, 2, 4, 6)
    assert restored(folder) == (6, [])
    for path in (folder / "model").glob("*.json"):
        path.unlink()
    assert restored(folder) == (6, [])
    assert find_checkpoint(folder) == str(folder / "model/ckpt-6")


def test_names_that_are_no_text_are_refused_before_anything_is_written(small_config, tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")
    with pytest.raises(UserError, match="not valid UTF-8"):
        open_run_folder(load_config(small_config), folder)
    assert not os.path.exists(folder)


def test_leftovers_of_killed_processes_go(run):
    whole = {path.relative_to(run) for path in run.rglob("*")}
    (run / "model/ckpt-7_temp").mkdir()
    (run / "model/ckpt-7_temp/part-00000").write_text("half")
    (run / "model/best/ckpt-9_temp").mkdir()
    (run / "model/ckpt-7.data-00000-of-00001").write_text("without an index")
    (run / ".config.yml.0123.partial").write_text("half")
    (run / "eval_20260101-000000").mkdir()
    (run / ".unfinished-eval_20260101-000000-abc").mkdir()
    kept = run / "eval_20260101-000001"
    kept.mkdir()
    (kept / "report.html").write_text("")
    clear_leftovers(run)
    shutil.rmtree(kept)
    assert {path.relative_to(run) for path in run.rglob("*")} == whole
