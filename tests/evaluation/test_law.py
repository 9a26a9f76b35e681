"""Sampled futures of forking shapes against their law."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from run_files import eager_functions

import hvp
from hvp.__main__ import main
from hvp.data.sources.forking_shapes import Law, Start, lamp_ticks, render
from hvp.evaluation.forking.baselines import BASELINES, draw_futures, frames_of
from hvp.evaluation.forking.read_out import Reading, outcomes, read_samples
from hvp.evaluation.forking.scores import LawScores, expected_total_variation
from hvp.experiment.checkpoints import save_experiment

PROBABILITIES = (0.6, 0.3, 0.1)
CONTEXT = 10
STARTS = (Start(0, 0, 1, True), Start(1, 2, 0, False), Start(2, 3, 2, True))


def context_of(start, size=16, channels=1):
    future = draw_futures(Law(start, PROBABILITIES, 1), CONTEXT, 1, np.random.default_rng(0))[0]
    return render(start, future, CONTEXT, size, size, channels).astype(np.float32) / 255


@pytest.mark.parametrize(("forks", "channels"), [(1, 1), (2, 3)])
@pytest.mark.parametrize("start", STARTS)
def test_samples_of_the_law_are_read_as_they_were_drawn(start, forks, channels):
    law, horizon = Law(start, PROBABILITIES, forks), 10 * forks
    futures = draw_futures(law, CONTEXT + horizon, 20, np.random.default_rng(1))
    samples = frames_of(futures, context_of(start, 20, channels), law, horizon)
    reading = read_samples(samples, start, forks, CONTEXT)
    assert [outcomes(forks)[i] for i in reading.outcome] == [f.branches for f in futures]
    assert (reading.possible_frames == horizon).all()
    assert reading.lamp.shape == (20, lamp_ticks(CONTEXT + horizon))
    assert np.mean(reading.lamp == [f.lamp for f in futures]) > 0.95


def test_a_video_that_changes_its_mind_stops_being_possible():
    start = STARTS[0]
    law = Law(start, PROBABILITIES, 1)
    left, right = (
        render(start, future._replace(branches=(branch,)), 20, 16, 16, 1)[10:] / np.float32(255)
        for branch in (0, 2)
        for future in draw_futures(law, 20, 1, np.random.default_rng(0))
    )
    mixed = np.concatenate([left[:6], right[6:]])[None]
    assert read_samples(mixed, start, 1, CONTEXT).possible_frames[0] == 6


def test_the_expected_distance_of_an_oracle_is_that_of_many_draws():
    exact, number = np.array([0.6, 0.3, 0.1]), 20
    draws = np.random.default_rng(0).multinomial(number, exact, 20000) / number
    measured = np.abs(draws - exact).sum(1).mean() / 2
    assert expected_total_variation(exact, number) == pytest.approx(measured, rel=0.01)
    assert expected_total_variation(np.array([1.0, 0.0]), 5) == 0


def scores_of(distort, contexts=300, number=50):
    """`distort(probabilities)`: what a forecast draws its branches by."""
    random, scores = np.random.default_rng(0), LawScores(1, 10)
    for index in range(contexts):
        law = Law(STARTS[index % 3], PROBABILITIES, 1)
        drawn = random.choice(3, number, p=distort(law.branch))
        lamp = np.array([f.lamp for f in draw_futures(law, 20, number, random)])
        scores.add(law, Reading(drawn, np.full(number, 10), lamp), random.choice(3, p=law.branch))
    return scores.summary()


def test_an_oracle_is_within_sampling_error_and_every_fault_is_seen():
    oracle = scores_of(lambda p: p)
    found, expected = oracle["total_variation"], oracle["total_variation_of_oracle"]
    assert abs(found["mean"] - expected["mean"]) < 2 * found["interval"]
    assert abs(oracle["log_score"]["mean"] - oracle["log_score_of_law"]["mean"]) < 0.05
    well_known = [b for b in oracle["calibration"] if b["count"] > 50]
    assert len(well_known) >= 3
    assert all(abs(b["forecast"] - b["came_true"]) < 0.1 for b in well_known)
    for value in oracle["pooled_total_variation"].values():
        assert value["value"] < 3 * value["of_oracle"]
    narrow = scores_of(lambda p: p**3 / (p**3).sum())
    wide = scores_of(lambda p: np.full(3, 1 / 3))
    missing = scores_of(lambda p: np.where(p < 0.2, 0, p) / p[p >= 0.2].sum())
    for worse in (narrow, wide, missing):
        assert worse["total_variation"]["mean"] > found["mean"] + found["interval"]
        assert worse["kl"]["mean"] > oracle["kl"]["mean"]
        assert worse["log_score"]["mean"] > oracle["log_score"]["mean"]
    assert missing["rare_branch"]["mean"] == 0
    assert missing["modes_visited"]["mean"] == pytest.approx(2 / 3)
    assert oracle["rare_branch_of_law"]["mean"] == pytest.approx(0.1)


def test_no_motion_and_the_mean_are_no_possible_videos():
    random, start = np.random.default_rng(0), STARTS[1]
    law, context = Law(start, PROBABILITIES, 1), context_of(STARTS[1], 24)
    possible = {
        name: read_samples(forecast(context, law, 10, 4, random), start, 1, CONTEXT).possible_frames
        for name, forecast in BASELINES.items()
    }
    assert (possible["oracle"] == 10).all()
    assert (possible["mean of the law"] < 7).all()
    assert (possible["copy last frame"] < 4).all()
    mean = BASELINES["mean of the law"](context, law, 10, 1, random)[0]
    drawn = frames_of(draw_futures(law, 20, 4000, random), context, law, 10)
    np.testing.assert_allclose(mean, drawn.mean(0), atol=0.05)


CONFIG = """\
name: forks
data: {dataset: forking_shapes, height: 16, width: 16, seq_len: 20, test_videos: 4}
model: {family: convlstm, context: 10, hidden: [8], patch_size: 4}
evaluation: {context: 10, seq_len: 20}
"""


def test_the_command(tmp_path, capsys):
    (tmp_path / "forks.yml").write_text(CONFIG)
    config = hvp.load_config(tmp_path / "forks.yml")
    model = hvp.build_model(config)
    model.configure_training(config.training)
    folder = save_experiment(config, model, tmp_path)
    command = ["law", "--logdir", str(folder), "--num-samples", "8", "--num-examples", "3"]
    with eager_functions():
        assert main(command) == 0
    assert "| forks |" in capsys.readouterr().out
    found = json.loads((folder / "law/law.json").read_text())
    assert found["read_out_error"] == 0
    assert found["protocol"]["num_examples"] == 3
    assert set(found["forecasts"]) == {"forks", *BASELINES}
    assert math.isfinite(found["forecasts"]["forks"]["kl"]["mean"])
    assert (folder / "law/law.png").stat().st_size > 0
    for wrong, message in (
        ("data.dataset=moving_shapes", "only the law of forking_shapes is known"),
        ("evaluation.context=11", "at most 10 frames come before"),
        ("data.forks=2", "shows from 25 frames on"),
    ):
        assert main([*command, "--set", wrong]) == 2
        assert message in capsys.readouterr().err
