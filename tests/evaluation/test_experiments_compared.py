"""Experiments trained and scored one after the other, and the page that compares them."""

from __future__ import annotations

import dataclasses
import json
import signal

import numpy as np
import pytest
import tensorflow as tf

import hvp
from hvp.__main__ import main
from hvp.commands.ablate import find_lpips
from hvp.config import load_config
from hvp.data.video_split import VideoSplit
from hvp.drawing.examples import Example
from hvp.errors import UserError
from hvp.evaluation.comparison_report import write_comparison
from hvp.evaluation.comparison_rows import compare_scores, markdown_table
from hvp.evaluation.comparison_run import Outcome, run_comparison
from hvp.evaluation.generated_motion import scores_of_generator
from hvp.evaluation.scores import SCORES_FILE, Measure, Scores
from hvp.experiment.checkpoints import save_experiment
from hvp.families import FAMILIES
from hvp.models.base import VideoModel
from hvp.training.signals import Interrupted

CONFIG = """\
data: {height: 16, width: 16, seq_len: 4, num_digits: 1, train_videos: 8, test_videos: 3}
model: {family: fading}
training: {batch_size: 2, steps: 1, gifs_every: 0, validate_every: 0}
evaluation: {context: 1, seq_len: 4, num_examples: 3, metrics: [mse]}
"""


@dataclasses.dataclass(frozen=True)
class FadingConfig:
    family: str = "fading"
    gain: float = 1.0


class Fading(VideoModel):
    """Repeats the last frame, `gain` times as bright."""

    config_class = FadingConfig

    def make_layers(self):
        self.gain = self.add_weight(shape=(), initializer="ones", name="gain")
        self.gain.assign(self.settings.gain)

    def _rollout(self, context, horizon, num_samples, seeds, masks):
        return tf.repeat(context[:, -1:] * self.gain, horizon, axis=1)[None]

    def compute_objective(self, batch, seed, training):
        loss = tf.reduce_mean(tf.square(batch * (self.gain - 1.0)))
        return loss, {"loss": loss}


class Training:
    """Stands for the trainer: saves the model as it is, and counts what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, config, logdir):
        self.asked.append(config.name)
        if config.name == "broken":
            raise UserError("the loss is not finite")
        if (logdir / config.name / "config.yml").exists():
            return logdir / config.name
        model = hvp.build_model(config)
        model.configure_training(config.training)
        return save_experiment(config, model, logdir, step=config.training.steps)


@pytest.fixture
def configs(tmp_path, monkeypatch):
    others = FAMILIES._others
    monkeypatch.setattr(others, "_registered", dict(others._registered))
    hvp.register_family("fading", FadingConfig, Fading)
    (tmp_path / "base.yml").write_text(CONFIG)
    gains = {"same": 1.0, "dark": 0.5, "black": 0.0}
    return {
        name: load_config(tmp_path / "base.yml", [f"name={name}", f"model.gain={gain}"])
        for name, gain in gains.items()
    }


@pytest.fixture
def fast(monkeypatch):
    """Scores without predictions: every example's is the model's gain and its number."""

    def score(config, model):
        values = [float(model.gain) + i for i in range(config.evaluation.num_examples)]
        return outcome("x", values, [f"video {i}" for i in range(len(values))]).scores

    monkeypatch.setattr("hvp.evaluation.comparison_run.score", score)


def quiet(*_):
    pass


def test_what_is_scored_is_not_done_again(configs, tmp_path):
    training = Training()
    configs.pop("black")
    outcomes = run_comparison(configs, tmp_path, training, report=quiet)
    assert training.asked == ["same", "dark"]
    again = run_comparison(configs, tmp_path, training, report=quiet)
    assert training.asked == ["same", "dark"]
    rows = compare_scores(outcomes)
    assert compare_scores(again) == rows
    np.testing.assert_array_equal(
        again[1].scores.example.samples, outcomes[1].scores.example.samples
    )
    # The experiment that repeats the last frame is the reference.
    scores = outcomes[0].scores
    np.testing.assert_allclose(scores.measures["mse"].values, scores.measures["mse"].reference)
    differences = np.subtract(*(o.scores.measures["mse"].values for o in outcomes[1::-1]))
    assert rows["dark"]["mse"].difference == pytest.approx(differences.mean(), rel=1e-6)
    half = 1.96 * differences.std(ddof=1) / np.sqrt(len(differences))
    assert rows["dark"]["mse"].difference_interval == pytest.approx(half, rel=1e-6)

    (tmp_path / "dark" / SCORES_FILE).write_text("{")
    again = run_comparison(configs, tmp_path, training, report=quiet)
    assert training.asked[2:] == ["dark"]  # which finds nothing left to do
    assert compare_scores(again) == rows


def test_other_settings_are_scored_anew(configs, fast, tmp_path):
    few = dict(list(configs.items())[:2])
    run_comparison(few, tmp_path, Training(), report=quiet)
    fewer = {
        name: dataclasses.replace(
            config, evaluation=dataclasses.replace(config.evaluation, num_examples=2)
        )
        for name, config in few.items()
    }
    scored = run_comparison(fewer, tmp_path, lambda config, logdir: None, report=quiet)
    assert [len(outcome.scores.videos) for outcome in scored] == [2, 2]


def test_one_that_cannot_be_trained_does_not_stop_the_others(configs, fast, tmp_path):
    broken = {
        "same": configs["same"],
        "broken": dataclasses.replace(configs["dark"], name="broken"),
    }
    outcomes = run_comparison(
        {**broken, "dark": configs["dark"]}, tmp_path, Training(), report=quiet
    )
    assert [outcome.problem for outcome in outcomes] == ["", "the loss is not finite", ""]
    page = write_comparison(
        outcomes, tmp_path / "comparison", "Why?", {"dark": {"model.gain": 0.5}}
    )
    text = page.read_text("utf-8")
    assert "failed: the loss is not finite" in text
    assert "model.gain: 0.5" in text
    record = json.loads((page.parent / "comparison.json").read_text())
    assert record["experiments"]["broken"]["problem"] == "the loss is not finite"
    assert record["experiments"]["dark"]["results"]["q"]["difference"] == -0.5
    for name in ("curves.png", "examples.png"):
        assert (page.parent / name).stat().st_size > 1000
    lines = (page.parent / "comparison.csv").read_text().splitlines()
    assert lines[0].startswith("experiment,step,measure,mean,interval,difference")
    assert [line.split(",")[0] for line in lines[1:]] == ["same", "dark"]
    assert len((page.parent / "curves.csv").read_text().splitlines()) == 1 + 2 * 2
    with pytest.raises(UserError, match="not finite"):  # nothing to hold the others against
        run_comparison({"broken": broken["broken"]}, tmp_path / "b", Training(), report=quiet)


def measure(values, higher=False):
    values = list(map(float, values))
    return Measure(
        "Quality", higher, 2, "frame", values, values[:2], [0.1, 0.1], values, values[:2]
    )


def outcome(name, values, videos):
    example = Example(
        "a", np.zeros((3, 4, 4, 1), np.uint8), np.zeros((1, 2, 4, 4, 1), np.uint8), None
    )
    scores = Scores("nothing", videos, {"q": measure(values)}, {}, "made up", example)
    return Outcome(name, scores, 10, 100)


def test_differences_are_paired_and_over_videos():
    """Videos differ a lot, the experiments by 1 on each: a pair is sure where the means are not."""
    base, videos = np.array([0.0, 50.0, 100.0, 200.0]), list("abcd")
    rows = compare_scores([outcome("base", base, videos), outcome("other", base + 1, videos)])
    assert rows["other"]["q"].interval > 50
    assert rows["other"]["q"].difference == pytest.approx(1.0)
    assert rows["other"]["q"].difference_interval == pytest.approx(0.0, abs=1e-9)
    assert rows["other"]["q"].differs
    assert not rows["base"]["q"].differs
    # Two videos of two windows each: the windows of one are no independent observations.
    noisy = base + np.array([3.0, 3.0, -1.0, -1.0])
    rows = compare_scores([outcome("base", base, list("aabb")), outcome("o", noisy, list("aabb"))])
    assert not rows["o"]["q"].differs
    assert "| o | 88.50 ± " in markdown_table(
        [outcome("base", base, list("aabb")), outcome("o", noisy, list("aabb"))], rows
    )


def test_what_was_scored_on_other_examples_is_not_compared():
    outcomes = [outcome("base", [1, 2], ["a", "b"]), outcome("other", [1, 2], ["a", "c"])]
    with pytest.raises(UserError, match="other: was scored on other examples"):
        compare_scores(outcomes)


class Real:
    """Real videos: a dot that moves by one pixel a frame."""

    seq_len = 3

    def choose_windows(self, limit, choice):
        return np.arange(limit)

    def evaluation_batches(self, batch_size, windows):
        videos = np.zeros((len(windows), 3, 8, 8, 1), np.float32)
        for t in range(3):
            videos[:, t, 0, t] = 1.0
        return [{"video": tf.constant(videos)}]


class Still:
    """Generates the first frame of the real videos, for ever."""

    def generate(self, count, frames, seed):
        videos = np.zeros((count, frames, 8, 8, 1), np.float32)
        videos[:, :, 0, 0] = 1.0
        return videos


def test_generated_videos_that_stand_still_show_it(configs):
    scores = scores_of_generator(Still(), Real(), configs["same"])
    change = scores.measures["change"]
    assert change.values == [0.0] * 3
    assert change.reference == pytest.approx([2 / 64] * 3)
    assert change.reference_curve == pytest.approx([2 / 64, 2 / 64])
    assert change.higher_is_better is None
    assert (change.axis, scores.measures["variety"].axis) == ("frames apart", "frame")
    assert scores.measures["variety"].values == [0.0] * 3
    assert set(scores.facts.values()) == {None}  # three videos are no set


class Honest:
    """Generates videos of the law that the real ones are drawn from."""

    def __init__(self, data):
        self.split = VideoSplit(data, "train", seed=5)

    def generate(self, count, frames, seed):
        return next(iter(self.split.training_batches(count, start=seed[1])))


class Frozen(Honest):
    """The same videos' first frames, for ever."""

    def generate(self, count, frames, seed):
        return np.repeat(super().generate(count, frames, seed)[:, :1], frames, axis=1)


def test_distances_tell_generators_apart_whose_frames_look_alike():
    overrides = ["data.test_videos=16", "evaluation.num_examples=16", "data.seq_len=8"]
    config = load_config("motion_gan_demo", overrides)
    split = VideoSplit(config.data, "test", seed=config.seed)
    honest, frozen = (
        scores_of_generator(kind(config.data), split, config) for kind in (Honest, Frozen)
    )
    for label, factor in (("Fréchet distance", 2), ("kernel distance x 10⁶", 3)):
        assert factor * honest.facts[label] < frozen.facts[label]
    assert frozen.facts["precision"] < honest.facts["precision"]
    assert "for 16 real videos of the training split" in honest.protocol


def test_lpips_is_looked_for_where_it_is_measured_before_anything_is_trained(monkeypatch):
    def absent(*_):
        raise UserError("cannot download LPIPS")

    monkeypatch.setattr("hvp.metrics.lpips_weights.weights_folder", absent)
    find_lpips(load_config("demo"))  # asks for none
    find_lpips(load_config("motion_gan_demo"))  # a generator is not measured by it
    with pytest.raises(UserError, match=r"cannot download LPIPS; without LPIPS: --set evaluation"):
        find_lpips(load_config("kth"))


def test_the_command_names_its_mistakes(tmp_path, capsys):
    assert main(["ablate", "--config", "dfdnet_dmo"]) == 2
    assert "did you mean 'dfdnet_demo'" in capsys.readouterr().err
    assert main(["ablate", "--config", "dfdnet_demo", "--only", "no_stu"]) == 2
    assert "--only no_stu: no such variant; valid: full" in capsys.readouterr().err
    assert main(["ablate-fusion", "--logdir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error == "error: ablate-fusion is now: python -m hvp ablate --config fusion_demo\n"


BRIGHTNESS = """\
question: How dark?
base: base.yml
variants:
  same: {}
  dark: {model: {gain: 0.5}}
  black: {model: {gain: 0.0}}
"""


def test_a_killed_ablation_goes_on_where_it_was(configs, fast, tmp_path, monkeypatch, capsys):
    training = Training()

    def stopped(config, logdir):
        if config.name == "dark":
            raise Interrupted(signal.SIGTERM, "stopped by SIGTERM at step 1, which is saved")
        return training(config, logdir)

    (tmp_path / "brightness.yml").write_text(BRIGHTNESS)
    arguments = ["ablate", "--config", str(tmp_path / "brightness.yml"), "--logdir", str(tmp_path)]
    monkeypatch.setattr("hvp.training.trainer.train", stopped)
    assert main(arguments) == 128 + signal.SIGTERM
    assert "stopped by SIGTERM at step 1" in capsys.readouterr().err
    assert not (tmp_path / "brightness/comparison").exists()
    monkeypatch.setattr("hvp.training.trainer.train", training)
    assert main(arguments) == 0
    assert training.asked == ["same", "dark", "black"]


def test_the_command_trains_and_writes_the_page(configs, fast, tmp_path, monkeypatch, capsys):
    training = Training()
    monkeypatch.setattr("hvp.training.trainer.train", training)
    (tmp_path / "brightness.yml").write_text(BRIGHTNESS)
    arguments = ["ablate", "--config", str(tmp_path / "brightness.yml"), "--logdir", str(tmp_path)]
    assert main([*arguments, "--only", "black"]) == 0
    assert training.asked == ["same", "black"]
    assert main(arguments) == 0
    assert training.asked == ["same", "black", "dark"]
    printed = capsys.readouterr().out
    assert f"page: {tmp_path / 'brightness/comparison/comparison.html'}" in printed
    assert "| black | 1.00 ± 1.13 (**-1.00 ± 0.00**) |" in printed
