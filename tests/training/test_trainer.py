"""The training loop: resuming, stopping, what it writes."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from run_files import all_values, assert_equal_runs, events, quiet_train
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout

from hvp.config import load_config
from hvp.errors import UserError
from hvp.experiment.checkpoints import load_experiment
from hvp.models.convlstm.model import ConvLSTM
from hvp.training import trainer
from hvp.training.trainer import Interrupted

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_resumed_run_equals_an_uninterrupted_one(small_config, tmp_path):
    """By graphs, as a user's; `test_a_signal_saves_and_the_run_goes_on` resumes eagerly."""
    whole = quiet_train(load_config(small_config), tmp_path / "whole", traced=True)
    half = load_config(small_config, ["training.steps=3"])
    quiet_train(half, tmp_path / "parts", traced=True)
    parts = quiet_train(load_config(small_config), tmp_path / "parts", traced=True)
    assert int(all_values(whole)["step/.ATTRIBUTES/VARIABLE_VALUE"]) == 6
    assert_equal_runs(parts, whole)


@pytest.mark.slow
def test_resuming_does_not_repeat_events(small_config, tmp_path):
    quiet_train(load_config(small_config, ["training.steps=5"]), tmp_path)
    folder = tmp_path / "small"
    # As after a crash at step 5: the checkpoint of step 3 is the last.
    for path in (folder / "model").glob("ckpt-5.*"):
        path.unlink()
    state = folder / "model/checkpoint"
    state.write_text('model_checkpoint_path: "ckpt-3"\nall_model_checkpoint_paths: "ckpt-3"\n')
    quiet_train(load_config(small_config), tmp_path)
    steps = [step for step, tag, _ in events(folder / "train") if tag == "loss"]
    assert steps == [1, 2, 4, 6]


def test_a_finished_run_has_nothing_left_to_do(small_run, copied_run, small_config, tmp_path):
    lines: list[str] = []
    quiet_train(load_config(small_config), tmp_path, report=lines.append)
    assert any("nothing left to do" in line for line in lines)
    assert_equal_runs(copied_run, small_run)
    (start,) = (copied_run / "starts.jsonl").read_text().splitlines()  # the first one alone
    assert json.loads(start)["step"] == 0


def test_what_tensorboard_gets(small_run):
    train_events = events(small_run / "train")
    tags = {tag for _, tag, _ in train_events}
    assert {
        "loss",
        "optimizer/gradient_norm",
        "optimizer/learning_rate",
        "throughput/frames_per_second",
        "throughput/steps_per_second",
    } <= tags
    val_tags = [(step, tag) for step, tag, _ in events(small_run / "val") if tag == "loss"]
    assert val_tags == [(3, "loss"), (6, "loss")]
    # truth, a sample and the error
    assert_gif_of_columns(train_events, 3, side=16, enlarged=4)
    layouts = [value for _, tag, value in train_events if tag == "custom_scalars__config__"]
    assert len(layouts) == 1
    charts = Layout.FromString(layouts[0].item()).category[0].chart
    assert {"loss", "mse"} <= {chart.title for chart in charts}
    assert charts[0].multiline.tag[0] == f"^{charts[0].title}$"


def test_what_tensorboard_gets_of_levels_and_samples(tmp_path):
    few = ["data.train_videos=4", "data.test_videos=4", "data.seq_len=4", "evaluation.context=2"]
    few += ["model.levels=2", "model.tmp_abs_factor=2", "model.channels_mult=0.125"]
    few += ["training.steps=1", "training.log_every=1", "training.gifs_every=1"]
    few += ["data.height=32", "data.width=32", "evaluation.seq_len=4"]
    folder = quiet_train(load_config("configs/demo.yml", few), tmp_path)
    train_events = events(folder / "train")
    tags = {tag for _, tag, _ in train_events}
    assert {"loss", "nll", "kl"} <= tags
    for name in ("kl", "prior_entropy", "posterior_entropy"):
        assert {f"{name}/level_0", f"{name}/level_1"} <= tags
    # TensorBoard opens the first two groups of the alphabet; they show how the run is doing.
    groups = sorted({tag.partition("/")[0] for tag in tags if not tag.startswith("custom")})
    assert groups[:2] == ["kl", "loss"]
    # and three samples
    assert_gif_of_columns(train_events, 5, side=32, enlarged=2)


def assert_gif_of_columns(train_events, columns, side, enlarged):
    """The GIF of four videos: panels with gaps of two pixels, enlarged, below their names."""
    (shown,) = [value for _, tag, value in train_events if tag.endswith("image_summary")]
    width, height, content = shown
    gif = Image.open(io.BytesIO(content))
    assert gif.n_frames == 4
    assert gif.size == (int(width), int(height))
    width, height = (enlarged * ((side + 2) * panels - 2) for panels in (columns, 4))
    assert gif.size == (width, height + 19)


@pytest.mark.parametrize(("share", "told"), [(0.0, True), (0.1, False)])
def test_a_run_says_when_the_test_videos_validate(small_config, share, told):
    config = load_config(small_config, [f"data.validation_share={share}"])
    lines, split = [], SimpleNamespace(num_windows=4, seq_len=8)
    run = SimpleNamespace(
        config=config,
        folder="logs/small",
        report=lines.append,
        strategy=SimpleNamespace(num_replicas_in_sync=1),
        model=SimpleNamespace(count_params=lambda: 1),
        splits={"train": split, "val": split},
    )
    trainer._describe(run)
    assert any("4 for validation, of " + ("test" if told else "train") in line for line in lines)
    assert any("model/best is chosen by the test split" in line for line in lines) == told


def test_gif_summaries_are_the_image_plugins(small_run):
    (path,) = (small_run / "val").glob("events.out.tfevents.*")
    plugins = {
        value.tag: value.metadata.plugin_data.plugin_name
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    assert plugins["truth_predictions_error/image_summary"] == "images"


def test_a_signal_saves_and_the_run_goes_on(small_run, small_config, tmp_path, monkeypatch):
    step_function, calls = ConvLSTM.train_step, []

    def killed_in_second_step(self, batch):
        if not calls:
            calls.append(1)
            os.kill(os.getpid(), signal.SIGTERM)  # while the first step is made
        return step_function(self, batch)

    monkeypatch.setattr(ConvLSTM, "train_step", killed_in_second_step)
    with pytest.raises(Interrupted, match="stopped by SIGTERM at step 1, which is saved") as caught:
        quiet_train(load_config(small_config), tmp_path / "parts")
    assert caught.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    parts = quiet_train(load_config(small_config), tmp_path / "parts")
    assert_equal_runs(parts, small_run)


def test_not_finite_stops_and_keeps_the_last_good_checkpoint(
    small_run, copied_run, small_config, tmp_path, monkeypatch
):
    config = load_config(small_config, ["training.steps=9"])
    objective = ConvLSTM.compute_objective

    def poisoned(self, batch, seed, training):
        loss, scalars = objective(self, batch, seed, training)
        bad = tf.where(self.optimizer.iterations >= 7, np.nan, 1.0)
        return loss * bad, {**scalars, "loss": loss * bad}

    monkeypatch.setattr(ConvLSTM, "compute_objective", poisoned)
    with pytest.raises(UserError, match=r"loss.* not finite at step 8; .*ckpt-6"):
        quiet_train(config, tmp_path)
    assert_equal_runs(copied_run, small_run)


@pytest.mark.slow
@pytest.mark.parametrize("override", ["training.precision=mixed_bfloat16", "training.xla=true"])
def test_options_train(small_config, tmp_path, override):
    config = load_config(small_config, [override, "training.steps=2", "training.log_every=1"])
    folder = quiet_train(config, tmp_path, traced=True)
    losses = [value for _, tag, value in events(folder / "train") if tag == "loss"]
    assert len(losses) == 2
    assert losses[1] < losses[0]


def test_unwritable_folders(small_config, tmp_path):
    config = load_config(small_config)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match=r"cannot write to .*file/small"):
        quiet_train(config, tmp_path / "file")
    with pytest.raises(UserError, match=r"cannot write to /proc/hvp/small"):
        quiet_train(config, "/proc/hvp")
    (tmp_path / "small").mkdir()
    (tmp_path / "small/val").write_text("where TensorBoard's files should go")
    with pytest.raises(UserError, match=r"cannot write to .*small") as caught:
        quiet_train(config, tmp_path)
    assert "\n" not in str(caught.value)


def start_training(config, logdir, *overrides, file_limit=None):
    """`train.py` in a process of its own; `file_limit` is the most bytes that a file may hold."""
    arguments = [word for override in overrides for word in ("--set", override)]
    return subprocess.Popen(
        [sys.executable, "train.py", "--config", config, "--logdir", logdir, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=file_limit
        and (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))),
    )


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_loses_nothing(small_run, copied_run, small_config, tmp_path):
    process = start_training(small_config, tmp_path, "training.steps=7", file_limit=40000)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2, errors
    assert errors.startswith(f"error: cannot write to {tmp_path}/small"), errors
    assert errors.count("\n") == 1
    assert_equal_runs(copied_run, small_run)
    assert load_experiment(copied_run)[2] == 6


@pytest.mark.slow
def test_killed_and_terminated_runs_go_on_as_if_nothing_had_been(small_config, tmp_path):
    endless = ("training.steps=1000000", "training.checkpoint_every=2")
    folder = tmp_path / "small"

    def wait_for_checkpoint(process, after):
        deadline = time.monotonic() + 300
        while process.poll() is None and time.monotonic() < deadline:
            path = tf.train.latest_checkpoint(str(folder / "model"))
            if path and int(path.rsplit("-")[-1]) > after:
                return int(path.rsplit("-")[-1])
            time.sleep(0.05)
        process.kill()  # it is endless
        pytest.fail("".join(process.communicate()))

    process = start_training(small_config, tmp_path, *endless)
    reached = wait_for_checkpoint(process, after=0)
    process.kill()
    process.communicate()
    process = start_training(small_config, tmp_path, *endless)
    wait_for_checkpoint(process, after=reached + 2)
    process.terminate()
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "going on from step" in output
    stopped = int(tf.train.latest_checkpoint(str(folder / "model")).rsplit("-")[-1])
    assert errors == (
        f"stopped by SIGTERM at step {stopped}, which is saved; run the same command again to go "
        "on\n"
    )
    config = load_config(small_config, [f"training.steps={stopped + 2}"])
    quiet_train(config, tmp_path, traced=True)
    whole = quiet_train(config, tmp_path / "whole", traced=True)
    assert_equal_runs(folder, whole)
    steps = [step for step, tag, _ in events(folder / "train") if tag == "loss"]
    assert steps == sorted(set(steps))
    assert steps == [step for step, tag, _ in events(whole / "train") if tag == "loss"]


def test_what_the_model_refuses_is_the_users_to_mend(small_config, tmp_path):
    config = load_config(small_config, ["data.height=18"])
    with pytest.raises(UserError, match=r"small.yml: data and model: .*received 18"):
        quiet_train(config, tmp_path)
    config = load_config(small_config, ["evaluation.context=0", "training.gifs_every=1"])
    with pytest.raises(UserError, match=r"evaluation.context must be at least 1, found 0"):
        quiet_train(config, tmp_path)


def test_a_wrong_best_metric_loses_no_updates(copied_run, small_config, tmp_path):
    settings = ["training.steps=7", "training.checkpoint_every=100"]
    with pytest.raises(UserError, match="best_metric is 'lose'; validation reports loss, mse"):
        quiet_train(load_config(small_config, [*settings, "training.best_metric=lose"]), tmp_path)
    assert load_experiment(copied_run)[2] == 7
