"""What is timed: every kind of case, of predictors and generators, with its operations."""

from __future__ import annotations

import pytest

import hvp
from hvp.errors import UserError
from hvp.timing import cases, clock

TINY = {
    "convlstm_demo": [
        "model.hidden=[4]", "data.height=16", "data.width=16", "data.train_videos=4",
        "data.seq_len=4", "training.batch_size=2", "model.context=2", "evaluation.context=2",
        "evaluation.seq_len=5", "evaluation.batch_size=1",
    ],
    "motion_gan_demo": [
        "model.width_factor=0.03", "model.content_dim=4", "model.motion_dim=4",
        "data.train_videos=4", "training.batch_size=2", "model.r1_every=16",
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(clock, "SHORTEST", 0.0)
    monkeypatch.setattr(clock, "product_seconds", lambda: 0.5)


def rows_of(kind, name="convlstm_demo", *overrides, **options):
    config = hvp.load_config(name, [*TINY[name], *overrides])
    return cases.rows_of(cases.Case(kind, config.to_dict(), repeats=2, **options))


def test_train_step_of_a_predictor():
    (row,) = rows_of("train")
    assert row["what"] == "train step"
    assert 0 < row["least"] <= row["seconds"] <= row["most"]
    assert row["products"] == pytest.approx(row["seconds"] / 0.5)
    assert row["least_products"] == pytest.approx(row["least"] / 0.5)
    assert row["most_products"] == pytest.approx(row["most"] / 0.5)
    assert row["frames_per_second"] == pytest.approx(2 * 4 / row["seconds"])
    assert row["share"] == pytest.approx(row["flop"] / (row["products"] * 2 * 2048**3))
    assert row["peak_memory_gib"] > 0.1
    assert row["videos"] == "data"
    assert row["loss"] > 0
    # Forward, and backward with respect to inputs and weights.
    (forward,) = rows_of("rollout")
    per_frame = forward["flop"] / (2 + 3 - 1)  # steps of the cell in the rollout, of one example
    assert 2.2 < row["flop"] / (2 * (4 - 1) * per_frame) < 4


def test_several_updates_a_call_are_told_by_the_update():
    (one,) = rows_of("train")
    (many,) = rows_of("train", "convlstm_demo", "training.steps_per_call=8", count=False)
    assert many["flop"] is None
    assert many["share"] is None
    assert many["seconds"] < 4 * one["seconds"]
    assert many["products"] == pytest.approx(many["seconds"] / many["product"])
    assert many["loss"] == pytest.approx(one["loss"], rel=1e-6)


def test_noise_takes_the_place_of_data_that_are_not_there(tmp_path):
    missing = ["data.dataset=folder", f"data.datadir={tmp_path / 'none'}"]
    (row,) = rows_of("rollout", "convlstm_demo", *missing, count=False)
    assert row["videos"] == "noise"
    with pytest.raises(UserError, match="none"):
        rows_of("input", "convlstm_demo", *missing)


def test_input_reads_batches():
    (row,) = rows_of("input")
    assert row["frames_per_second"] == pytest.approx(2 * 4 / row["seconds"])
    assert row["share"] is None


@pytest.mark.slow
def test_a_generator_has_a_row_for_each_kind_of_update():
    plain, penalised = rows_of("train", "motion_gan_demo", count=False)
    assert plain["what"] == "train step, plain_step (93.7%)"
    assert penalised["what"] == "train step, penalised_step (6.3%)"
    (made,) = rows_of("rollout", "motion_gan_demo", count=False)
    frames = hvp.load_config("motion_gan_demo").model.video_length
    assert made["what"] == f"generate a video of {frames} frames"
    assert made["frames_per_second"] == pytest.approx(frames / made["seconds"])


def test_what_cannot_be_predicted_is_refused():
    with pytest.raises(UserError, match=r"evaluation\.seq_len leaves nothing"):
        rows_of("rollout", "convlstm_demo", "evaluation.seq_len=2")
