"""Checkpoints of a run: which are kept, and what is said of those that cannot be read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from run_files import assert_equal_runs, events, quiet_train

from hvp.config import load_config
from hvp.errors import UserError
from hvp.experiment.checkpoints import RunCheckpoints, load_experiment
from hvp.experiment.lock import only_process
from hvp.models.convlstm.model import ConvLSTM


def test_checkpoints_by_number_and_the_best(small_config, tmp_path):
    overrides = ["training.checkpoint_every=1", "training.keep_checkpoints=2"]
    folder = quiet_train(load_config(small_config, overrides), tmp_path)
    kept = sorted(path.stem for path in (folder / "model").glob("ckpt-*.index"))
    assert kept == ["ckpt-5", "ckpt-6"]
    losses = {step: value for step, tag, value in events(folder / "val") if tag == "loss"}
    _, best, step = load_experiment(folder, "best")
    assert step == min(losses, key=losses.get)
    _, latest, step = load_experiment(folder / "model")
    assert step == 6
    _, fifth, step = load_experiment(folder, "5")
    assert step == 5
    assert np.abs(latest.readout.kernel - fifth.readout.kernel).max() > 0
    assert best.count_params() == latest.count_params()
    with pytest.raises(UserError, match="no checkpoint 2; kept: 5, 6"):
        load_experiment(folder, 2)


def test_a_worse_score_after_a_restart_is_not_the_best(tmp_path):
    model = ConvLSTM(height=16, width=16, hidden=[4])
    model.configure_training(load_config("configs/demo.yml").training)
    folder = tmp_path / "run"
    (folder / "model").mkdir(parents=True)
    assert RunCheckpoints(folder, model, keep=1).save_if_best(3, "loss", 1.0)
    restarted = RunCheckpoints(folder, model, keep=1)
    assert not restarted.save_if_best(6, "loss", 2.0)
    assert restarted.save_if_best(9, "loss", 0.5)


def test_missing_runs_are_explained(tmp_path):
    with pytest.raises(UserError, match="no such folder; train first"):
        load_experiment(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"holds no config.yml"):
        load_experiment(tmp_path)


def test_a_moved_run_and_a_broken_checkpoint(copied_run, tmp_path, capsys):
    moved = Path(shutil.move(copied_run, tmp_path / "elsewhere"))
    assert load_experiment(moved)[2] == 6
    (data,) = (moved / "model").glob("ckpt-6.data-*")
    data.write_bytes(data.read_bytes()[:1000])
    assert load_experiment(moved)[2] == 3
    assert "note: damaged: ckpt-6: " in capsys.readouterr().err
    with pytest.raises(UserError, match=r"ckpt-6: cannot be read .*--checkpoint N") as caught:
        load_experiment(moved, 6)
    assert "\n" not in str(caught.value)


def test_a_damaged_newest_checkpoint_costs_the_steps_since_the_one_before(
    small_run, copied_run, small_config, tmp_path
):
    (index,) = (copied_run / "model").glob("ckpt-6.index")
    index.write_bytes(b"")
    lines = []
    quiet_train(load_config(small_config), tmp_path, report=lines.append)
    assert any("ckpt-6.index has 0 bytes" in line for line in lines)
    assert_equal_runs(copied_run, small_run)


def test_one_trains_in_a_folder_at_a_time(small_config, tmp_path):
    config = load_config(small_config)
    (tmp_path / "small").mkdir()
    before = f"process {os.getpid()} on .* trains there"
    with only_process(tmp_path / "small", "trains"), pytest.raises(UserError, match=before):
        quiet_train(config, tmp_path)
    assert not (tmp_path / "small/config.yml").exists()
