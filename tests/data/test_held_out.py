"""A part of `train` is held out for validation, where a data set has no `val`: never the test."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from stand_ins import STAND_INS, video

from hvp.__main__ import main
from hvp.config import DataConfig, load_config
from hvp.data.held_out import held_out_recordings
from hvp.data.sources import data_set, open_source, validation_videos
from hvp.data.video_split import VideoSplit, evaluation_split
from hvp.errors import UserError

SHIPPED = sorted(
    path for path in (Path(__file__).parents[2] / "configs").glob("*.yml") if path.stem != "base"
)
SPLITS = ("train", "val", "test")


@pytest.fixture
def ten(tmp_path):
    """Ten videos to train on and two to test on, each of one level; `ten(...)` configures them."""
    for number in range(12):
        split = "train" if number < 10 else "test"
        (tmp_path / "data" / split).mkdir(parents=True, exist_ok=True)
        frames = np.full((4, 8, 8), 20 * number, np.uint8)
        np.save(tmp_path / f"data/{split}/{number}.npy", frames)

    def config(**changes):
        settings = {"height": 8, "width": 8, "seq_len": 4, "cache_dir": str(tmp_path / "cache")}
        settings |= {"datadir": str(tmp_path / "data"), "validation_share": 0.3}
        return DataConfig(**{"dataset": "folder", **settings, **changes})

    return config


def names(config, split, seed=0):
    return [name for name, _ in VideoSplit(config, split, seed=seed).videos]


def test_training_validation_and_test_share_no_video(ten):
    train, val, test = (set(names(ten(), split)) for split in SPLITS)
    assert (len(train), len(val), len(test)) == (7, 3, 2)
    assert not train & val
    assert not test & (train | val)
    assert validation_videos(ten()) == "train"


def test_the_seed_decides_and_nothing_else_does(ten):
    held = names(ten(), "val", seed=1)
    assert names(ten(), "val", seed=1) == held
    assert names(ten(seq_len=2, random_start=True), "val", seed=1) == held
    assert len({tuple(names(ten(), "val", seed=seed)) for seed in range(6)}) > 1


def test_frames_come_from_the_videos_that_are_named(ten):
    (batch,) = VideoSplit(ten(), "val").evaluation_batches(5)
    levels = np.rint(batch["video"].numpy()[:, 0, 0, 0, 0] * 255).astype(int).tolist()
    named = [int(name.decode()[len("train/") : -len(".npy")]) for name in batch["name"].numpy()]
    assert levels == [20 * number for number in named]


def test_without_a_share_all_is_as_before(ten):
    """Runs from before the key go on with the training videos that they began with."""
    before = ten(validation_share=0.0)
    assert names(before, "train") == [f"train/{number}.npy" for number in range(10)]
    assert names(before, "val") == names(before, "test")
    assert validation_videos(before) == "test"
    assert DataConfig().validation_share == 0
    generated = DataConfig(height=16, width=16, seq_len=2, train_videos=4, test_videos=2)
    val, test = (open_source(generated, split, 2, 0) for split in ("val", "test"))
    np.testing.assert_array_equal(val.read(1, 0, 2), test.read(1, 0, 2))


def test_a_val_of_its_own_is_used(ten, tmp_path):
    (tmp_path / "data/val").mkdir()
    np.save(tmp_path / "data/val/v.npy", np.zeros((4, 8, 8), np.uint8))
    assert names(ten(), "val") == ["val/v.npy"]
    assert len(names(ten(), "train")) == 10
    assert validation_videos(ten()) == "val"
    for path in (tmp_path / "data/test").iterdir():  # `val` is what is tested on now
        path.unlink()
    assert names(ten(), "test") == ["val/v.npy"]
    assert len(names(ten(), "val")) == 3
    assert len(names(ten(), "train")) == 7


def test_prepared_data_are_held_out_alike(ten, tmp_path):
    before = {split: names(ten(), split) for split in SPLITS}
    arguments = ["--source", str(tmp_path / "data"), "--out", str(tmp_path / "made"), "--size", "8"]
    assert main(["prepare", "folder", *arguments, "--channels", "1"]) == 0
    for dataset in ("folder", "prepared"):
        made = ten(dataset=dataset, datadir=str(tmp_path / "made"))
        assert {split: names(made, split) for split in SPLITS} == before


@pytest.mark.parametrize(
    "dataset", ["moving_mnist", "moving_shapes", "forking_shapes", "stochastic_moving_mnist"]
)
def test_generated_data_lose_nothing(dataset):
    config = DataConfig(
        dataset=dataset, height=16, width=16, channels=3, seq_len=20, train_videos=6,
        test_videos=3, validation_share=0.34,
    )  # fmt: skip
    train, val, test = (open_source(config, split, 20, 7) for split in SPLITS)
    assert [len(source.names) for source in (train, val, test)] == [6, 2, 3]
    drawn = {
        train.read(i, 0, 20, epoch=epoch).tobytes() for i in range(6) for epoch in range(3)
    } | {test.read(i, 0, 20).tobytes() for i in range(3)}
    held = [val.read(i, 0, 20, epoch=5).tobytes() for i in range(2)]
    assert len(set(held) - drawn) == 2
    assert held == [val.read(i, 0, 20).tobytes() for i in range(2)]  # the same in every epoch


def test_masks_come_along(tmp_path):
    STAND_INS["davis"].build(tmp_path / "davis")
    config = DataConfig(
        dataset="davis", datadir=str(tmp_path / "davis"), masks=True, channels=3, height=16,
        width=16, validation_share=0.5, cache_dir=str(tmp_path / "cache"),
    )  # fmt: skip
    whole = open_source(dataclasses.replace(config, validation_share=0.0), "train", 6, 0)
    expected = {name: whole.read_masks(i, 0, 6) for i, name in enumerate(whole.names)}
    sources = [open_source(config, split, 6, 0) for split in ("train", "val")]
    assert sorted(source.names[0] for source in sources) == sorted(expected)
    for source in sources:
        np.testing.assert_array_equal(source.read_masks(0, 0, 6), expected[source.names[0]])


@pytest.mark.parametrize(
    ("dataset", "together", "apart"),
    [
        ("kth", ["person01_boxing_d1_1", "train/person01_running_d4_uncomp.avi"], "person02_a_d1"),
        ("ucf101", ["a/v_Bowling_g08_c01.avi", "v_bowling_g08_c02"], "v_Bowling_g09_c01.avi"),
        ("human36m", ["S1/Videos/Eating 1.54138969.mp4", "S1/Videos/Eating 1.55011271.mp4"],
         "S1/Videos/Eating.54138969.mp4"),
        ("human36m", ["s_01_act_02_subact_01_ca_01", "s_01_act_02_subact_01_ca_04"],
         "s_01_act_02_subact_02_ca_01"),
        ("sky", ["sky_train/abc/abc_1", "sky_train/abc/abc_2"], "sky_train/xyz/abc_1"),
        ("sky", ["sky_train/abc"], "sky_train/xyz"),
        ("mazes", ["train/2.mp4"], "train/10.mp4"),
    ],
)  # fmt: skip
def test_clips_of_one_recording_stay_together(dataset, together, apart):
    recording = data_set(dataset).recording
    assert len({recording(name) for name in together}) == 1
    assert recording(apart) != recording(together[0])


def test_kth_holds_out_persons_of_its_division(tmp_path):
    for person in range(1, 26, 2):
        for action in ("boxing", "running"):
            split = "train" if person <= 20 else "test"
            video(tmp_path / f"{split}/person{person:02}_{action}_d1_uncomp.mp4")
    config = DataConfig(
        dataset="kth", datadir=str(tmp_path), division="openstl", validation_share=0.2,
        height=8, width=8, cache_dir=str(tmp_path / "cache"),
    )  # fmt: skip
    found = {split: open_source(config, split, 6, 0).names for split in SPLITS}
    persons = {split: {name.split("person")[1][:2] for name in found[split]} for split in SPLITS}
    assert len(persons["train"]) == 6
    assert len(persons["val"]) == 2
    assert len(found["val"]) == 4
    assert not persons["train"] & persons["val"]
    assert persons["test"] == {"17", "19", "21", "23", "25"}


def test_as_many_as_the_share_says():
    many = [str(number) for number in range(200)]
    assert len(held_out_recordings(many, 0.05, seed=0)) == 10
    assert len(held_out_recordings(many, 1e-6, seed=0)) == 1
    assert len(held_out_recordings(["a", "b"], 0.99, seed=0)) == 1
    with pytest.raises(UserError, match=r"validation_share is 0.05, but .* of one recording, 'a'"):
        held_out_recordings(["a", "a"], 0.05, seed=0)


def test_what_is_tested_is_as_before(ten):
    config = load_config("kth", ["evaluation.seq_len=4"]).replace("data", **vars(ten()))
    assert [name for name, _ in evaluation_split(config).videos] == ["test/10.npy", "test/11.npy"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configurations_never_choose_by_the_test_videos(path):
    config = load_config(path)
    assert config.training.validate_every == 0 or config.data.validation_share > 0
