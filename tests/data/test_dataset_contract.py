"""What every data set promises, tried with a stand-in in its published layout.

A new data set needs an entry in `stand_ins.STAND_INS`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from stand_ins import STAND_INS, StandIn

from hvp.__main__ import main
from hvp.config import DataConfig
from hvp.data.data_set import DataSet
from hvp.data.sources import DATA_SETS, PREPARED, SPLITS, data_set, open_source
from hvp.errors import UserError

EVERY = DATA_SETS.names()
STORED = [name for name in EVERY if data_set(name).stored]
GENERATED = ("moving_mnist", "moving_shapes", "forking_shapes", "stochastic_moving_mnist")
PREPARABLE = [name for name in EVERY if name != PREPARED]
SIZE = 16
FEW = 4  # frames of a window


def test_every_data_set_has_a_stand_in():
    assert sorted(STAND_INS) == sorted(EVERY)
    assert {name for name in EVERY if data_set(name).generated} == set(GENERATED)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """`built(name)` is the folder of a stand-in, `None` for generated ones."""
    folders = {}

    def build(name):
        if name not in folders:
            folders[name] = None
            if STAND_INS[name].build is not None:
                folders[name] = tmp_path_factory.mktemp("stand-in") / name
                STAND_INS[name].build(folders[name])
        return folders[name]

    return build


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def config(built, cache):
    """`config(name)` reads a data set's stand-in."""

    def make(name, **changes):
        folder = built(name)
        found: StandIn = STAND_INS[name]
        settings = {
            "datadir": None if folder is None else str(folder),
            "height": SIZE,
            "width": SIZE,
            "channels": 3,
            "train_videos": len(found.train),
            "test_videos": len(found.test),
            "cache_dir": str(cache),
        }
        return DataConfig(dataset=name, **{**settings, **changes})

    return make


def contents(source):
    """The bytes of all videos."""
    read = [source.read(i, 0, length) for i, length in enumerate(source.lengths)]
    return [frames.tobytes() for frames in read]


@pytest.mark.parametrize("name", EVERY)
def test_what_is_declared(name):
    chosen = data_set(name)
    assert isinstance(chosen, DataSet)
    assert chosen.name == name
    assert chosen.advice == " ".join(chosen.advice.split())  # one line
    assert len(chosen.advice) > 20
    assert set(chosen.splits) <= set(SPLITS)
    assert "train" in chosen.splits
    usual = chosen.preparation
    DataConfig(height=usual.height, width=usual.width, channels=usual.channels, crop=usual.crop)
    assert all(download.url.startswith("http") for download in chosen.downloads)
    assert chosen.protocol == " ".join(chosen.protocol.split())


@pytest.mark.parametrize("name", EVERY)
def test_splits_and_lengths(config, name):
    found = STAND_INS[name]
    settings = config(name)
    sources = {split: open_source(settings, split, FEW, 0) for split in SPLITS}
    if data_set(name).stored:
        assert sources["train"].names == found.train
        assert sources["test"].names == found.test
        assert sources["val"].names == (found.val or found.test)
        frames = found.frames
    else:
        assert [len(sources[split].names) for split in SPLITS] == [
            len(found.train), len(found.test), len(found.test)
        ]  # fmt: skip
        frames = FEW
    for source in sources.values():
        assert source.lengths == [frames] * len(source.names)
        assert source.skipped == []


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("split", ["train", "test"])
def test_frames(config, name, split):
    """uint8 of the size asked for; any window is part of the whole; nothing is black."""
    source = open_source(config(name), split, FEW, 0)
    for video, length in enumerate(source.lengths):
        whole = source.read(video, 0, length)
        assert (whole.shape, whole.dtype) == ((length, SIZE, SIZE, 3), np.uint8)
        assert whole.max() > 15
        for start, count in ((length - 1, 1), (1, length - 2), (0, 2)):
            np.testing.assert_array_equal(
                source.read(video, start, count), whole[start : start + count]
            )
    assert len(set(contents(source))) == len(source.names)  # no video stands for another


@pytest.mark.parametrize("name", EVERY)
def test_opened_again_it_is_the_same(config, name):
    for split in ("train", "test"):
        first, again = (open_source(config(name), split, FEW, 3) for _ in range(2))
        assert (again.names, again.lengths) == (first.names, first.lengths)
        assert contents(again) == contents(first)


@pytest.mark.parametrize("name", GENERATED)
def test_generated_videos_follow_seed_epoch_and_index(config, name):
    settings = config(name, datadir=None)

    def frames(split, seed, epoch, video=0):
        return open_source(settings, split, FEW, seed).read(video, 0, FEW, epoch).tobytes()

    assert len({frames("train", *which) for which in ((0, 0), (1, 0), (0, 1), (0, 0, 1))}) == 4
    assert frames("train", 1, 2) == frames("train", 1, 2)
    # Scores compare: the test videos are the same ones for every experiment.
    assert len({frames("test", *which) for which in ((0, 0), (1, 0), (0, 1))}) == 1


@pytest.mark.parametrize("name", EVERY)
def test_first_frames_and_every_nth(config, name):
    if data_set(name).stored:
        assert set(open_source(config(name, max_video_len=5), "train", FEW, 0).lengths) == {5}
        with pytest.raises(UserError, match=r"videos in .* cannot be used|sequences have"):
            open_source(config(name), "train", 49, 0)
    whole = open_source(config(name), "train", 2 * FEW - 2, 0)
    thinned = open_source(config(name, frame_step=2), "train", FEW - 1, 0)
    assert thinned.lengths == [length // 2 for length in whole.lengths]
    length = thinned.lengths[0]
    np.testing.assert_array_equal(thinned.read(0, 0, length), whole.read(0, 0, 2 * length)[::2])


@pytest.mark.parametrize("name", PREPARABLE)
def test_prepared_it_is_what_it_was(config, built, tmp_path, capsys, name):
    out = tmp_path / "out"
    arguments = ["--out", str(out), "--size", str(SIZE), "--channels", "3", "--crop", "none"]
    if data_set(name).stored:
        arguments += ["--source", str(built(name))]
    else:
        arguments += ["--num-videos", str(len(STAND_INS[name].train)), "--max-frames", str(FEW)]
    assert main(["prepare", name, *arguments]) == 0
    assert data_set(name).protocol in capsys.readouterr().out
    direct = config(name)
    stored = dataclasses.replace(direct, datadir=str(out))
    for split in SPLITS:
        made, read = (open_source(settings, split, FEW, 0) for settings in (stored, direct))
        if split == "train" or data_set(name).stored:
            assert sorted(contents(made)) == sorted(contents(read))
        else:  # a tenth as many test videos are stored
            assert contents(made) == contents(read)[:1]
    assert main(["prepare", name, "--out", str(out), "--check"]) == 0


@pytest.mark.parametrize("name", EVERY)
def test_missing_data_say_what_to_fetch(config, tmp_path, name):
    (tmp_path / "empty").mkdir()
    advice = data_set(name).advice
    folders = [tmp_path / "empty", tmp_path / "nowhere"]
    for datadir in folders if data_set(name).generated else [*folders, None]:
        missing = config(name, datadir=None if datadir is None else str(datadir))
        with pytest.raises(UserError) as caught:
            open_source(missing, "train", FEW, 0)
        message = str(caught.value)
        assert message.startswith("data.datadir") or name == PREPARED
        assert advice in message or (name == PREPARED and "run python -m hvp prepare" in message)
        assert str(datadir) in message or datadir is None
        assert "\n" not in message


@pytest.mark.parametrize("name", [name for name in PREPARABLE if name in STORED])
def test_preparing_without_data_says_what_to_fetch(tmp_path, capsys, name):
    (tmp_path / "empty").mkdir()
    arguments = ["prepare", name, "--out", str(tmp_path / "out")]
    tries = [[*arguments, "--source", str(tmp_path / "empty")]]
    tries += [] if data_set(name).downloads else [arguments]
    for command in tries:
        assert main(command) == 2
        message = capsys.readouterr().err
        assert data_set(name).advice in message
        assert message.count("\n") == 1


@pytest.mark.parametrize("name", EVERY)
def test_masks_are_declared(config, name):
    settings = config(name, masks=True)
    if not data_set(name).masks:
        with pytest.raises(UserError, match=f"{name} has no masks; davis has"):
            open_source(settings, "train", FEW, 0)
        return
    source = open_source(settings, "train", FEW, 0)
    masks = source.read_masks(0, 1, FEW)
    assert (masks.shape, masks.dtype) == ((FEW, SIZE, SIZE), np.uint8)
    assert masks.any()
