"""The published data sets where they come in several forms; see also `test_dataset_contract`."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from stand_ins import taxi_file

from hvp.__main__ import main
from hvp.config import DataConfig
from hvp.data.sources import data_set, open_source, taxibj
from hvp.data.video_io import write_mp4
from hvp.errors import UserError


@pytest.fixture
def config(tmp_path):
    def make(dataset, **changes):
        settings = {"height": 8, "width": 8, "channels": 3, "cache_dir": str(tmp_path / "cache")}
        datadir = str(tmp_path / "data")
        return DataConfig(dataset=dataset, datadir=datadir, **{**settings, **changes})

    return make


def video(path, level=100, frames=6):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        write_mp4(path, np.full((frames, 16, 16, 3), level, np.uint8))
        return
    path.mkdir()
    for number in range(frames):
        Image.new("RGB", (16, 16), (level,) * 3).save(path / f"frame{number}.jpg")


def names(config, *splits):
    return [open_source(config, split, 5, 0).names for split in splits]


def people(config, split):
    return [int(name.split("person")[1][:2]) for name in open_source(config, split, 5, 0).names]


@pytest.mark.parametrize("prepared", [False, True])
def test_kth_by_either_division(tmp_path, config, prepared):
    """1-20 and 21-25 as in the hierarchical paper, 1-16 and 17-25 as in OpenSTL; no file moves."""
    for person in (1, 16, 17, 20, 21, 25):
        split = "train" if person <= 20 else "test"
        video(tmp_path / f"data/{split}/person{person:02}_boxing_d1_uncomp.mp4")
    if prepared:
        command = ["prepare", "kth", "--source", str(tmp_path / "data"), "--size", "8"]
        assert main([*command, "--out", str(tmp_path / "made")]) == 0
        (tmp_path / "data").rename(tmp_path / "raw")
        (tmp_path / "made").rename(tmp_path / "data")
    for division, last in ((None, 20), ("hierarchical", 20), ("openstl", 16)):
        settings = config("kth", division=division, channels=1)
        everyone = [1, 16, 17, 20, 21, 25]
        assert people(settings, "train") == [p for p in everyone if p <= last]
        assert people(settings, "test") == [p for p in everyone if p > last]
        assert people(settings, "val") == people(settings, "test")
    with pytest.raises(UserError, match=r"data.division is 'mcnet'; kth has hierarchical, openstl"):
        open_source(config("kth", division="mcnet", channels=1), "train", 5, 0)


def test_ucf101_trains_on_both_lists(tmp_path, config):
    levels = {1: 40, 7: 90, 8: 140, 25: 190}
    for group, level in levels.items():
        video(tmp_path / f"data/v_Bowling_g{group:02}_c01.mp4", level)
    source = open_source(config("ucf101", division="train_and_test"), "train", 5, 0)
    found = {int(name[-10:-8]): source.read(i, 0, 5).mean() for i, name in enumerate(source.names)}
    assert found.keys() == levels.keys()
    assert all(abs(found[group] - level) < 4 for group, level in levels.items())
    test = open_source(config("ucf101", division="train_and_test"), "test", 5, 0)
    assert [name[-11:-8] for name in test.names] == ["g01", "g07"]
    with pytest.raises(UserError, match="human36m is divided in one way only: null"):
        open_source(config("human36m", division="openstl"), "train", 5, 0)


def test_frames_are_not_left_out_twice(tmp_path, config):
    for split in ("train", "test"):
        video(tmp_path / f"raw/{split}/person01_boxing_d1.mp4", frames=12)
    command = ["prepare", "kth", "--source", str(tmp_path / "raw"), "--size", "8", "--every", "2"]
    assert main([*command, "--out", str(tmp_path / "data")]) == 0
    assert open_source(config("kth", channels=1), "train", 5, 0).lengths == [6]
    with pytest.raises(UserError, match=r"prepared with --every 2, and data.frame_step is 2"):
        open_source(config("kth", channels=1, frame_step=2), "train", 2, 0)


def test_human36m_as_frames(tmp_path):
    for subject in (1, 5, 7, 9, 11, 3):
        video(tmp_path / f"images/s_{subject:02}_act_02_subact_01_ca_01", frames=1)
    found = data_set("human36m").find_videos(tmp_path)
    assert [path.name[:4] for path in found["train"]] == ["s_01", "s_05", "s_07"]
    assert [path.name[:4] for path in found["test"]] == ["s_09", "s_11"]


def test_ucf101_by_group_and_by_list(tmp_path, config):
    for group in (1, 7, 8, 25):
        video(tmp_path / f"data/UCF-101/Bowling/v_Bowling_g{group:02}_c01.mp4")
    settings = config("ucf101")
    stems = [[name[-11:-8] for name in split] for split in names(settings, "train", "test")]
    assert stems == [["g08", "g25"], ["g01", "g07"]]
    lists = tmp_path / "data/ucfTrainTestlist"
    lists.mkdir()
    (lists / "trainlist02.txt").write_text(
        "Bowling/v_Bowling_g01_c01.avi 16\nBowling/v_Bowling_g25_c01.avi 16\n"
    )
    (lists / "testlist02.txt").write_text("Bowling/v_Bowling_g08_c01.avi\n")
    stems = [[name[-11:-8] for name in split] for split in names(settings, "train", "test")]
    assert stems == [["g01", "g25"], ["g08"]]
    (lists / "trainlist01.txt").write_text("something else\n")
    with pytest.raises(UserError, match=r"trainlist01\.txt: lists no clips"):
        open_source(settings, "train", 5, 0)


def test_real_clips_of_ucf101(shared_file):
    found = data_set("ucf101").find_videos(shared_file("data/ucf101", "that its names are known"))
    assert (len(found["train"]), len(found["test"])) == (0, 5)


def test_frame_folders_with_and_without_splits(tmp_path, config):
    for name in ("video2", "video10", "nested/video1"):
        video(tmp_path / "data" / name)
    settings = config("frame_folders")
    everything = ["nested/video1", "video2", "video10"]
    assert names(settings, "train", "val", "test") == [everything] * 3
    video(tmp_path / "data/train/a")
    video(tmp_path / "data/test/b")
    assert names(settings, "train", "test") == [["train/a"], ["test/b"]]


def test_taxibj(tmp_path, config):
    (tmp_path / "data").mkdir()
    # A day with a hole, between two runs of whole days; and the month of which four weeks are left.
    days = [f"201307{day:02}" for day in range(1, 8)]
    taxi_file(tmp_path / "data/BJ13_M32x32_T30_InOut.h5", days, missing=["2013070448"])
    days = [f"201603{day:02}" for day in range(1, 32)]
    taxi_file(tmp_path / "data/BJ16_M32x32_T30_InOut.h5", days)
    settings = config("taxibj", height=32, width=32)
    train, test = (open_source(settings, split, 8, 0) for split in ("train", "test"))
    assert train.names == ["BJ13-20130701", "BJ13-20130705", "BJ16-20160301"]
    assert train.lengths == [3 * 48, 3 * 48, 3 * 48]
    assert (test.names, test.lengths) == (["BJ16-20160304"], [28 * 48])
    frames = train.read(1, 0, 8)
    assert frames.shape == (8, 32, 32, 3)
    assert (frames[..., 0] == 255).all()
    assert not frames[..., 2].any()
    first = 4 * 48 - 1  # the frame that is missing does not count
    expected = np.rint((first + np.arange(8)) % 256 / taxibj.LARGEST_FLOW * 255)
    np.testing.assert_array_equal(frames[:, 0, 0, 1], expected)
    with pytest.raises(UserError, match="channels must be 3"):
        open_source(config("taxibj", channels=1), "train", 8, 0)
    (tmp_path / "data/BJ15_M32x32_T30_InOut.h5").write_bytes(b"no HDF5")
    with pytest.raises(UserError, match=r"BJ15.*cannot be read as a file of TaxiBJ"):
        open_source(settings, "train", 8, 0)


def test_every_nth_frame_and_the_centre(tmp_path, config):
    levels = np.arange(0, 100, 10, dtype=np.uint8)
    frames = np.zeros((10, 8, 16), np.uint8)
    frames[:, :, 4:12] = levels[:, None, None] + 50
    for split in ("train", "test"):
        (tmp_path / "data" / split).mkdir(parents=True)
        np.save(tmp_path / f"data/{split}/a.npy", frames)
    settings = config("folder", frame_step=3, crop="center", channels=1)
    source = open_source(settings, "train", 3, 0)
    assert source.lengths == [3]
    read = source.read(0, 0, 3)
    assert read[:, 0, 0, 0].tolist() == [50, 80, 110]
    assert np.ptp(read[0]) == 0
    with pytest.raises(UserError, match="has 10 frames, 12 are needed"):
        open_source(settings, "train", 4, 0)
