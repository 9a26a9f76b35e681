"""`python -m hvp show`: the clips it shows are the loader's, and mistakes in data are named."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from hvp.__main__ import main
from hvp.config import DataConfig
from hvp.data.video_io import read_video
from hvp.data.video_split import VideoSplit
from hvp.drawing.shown_clips import ShownClip, shown_clips, suspicions
from hvp.families import OWN


@pytest.fixture
def folder(tmp_path):
    """Two colour videos for training, of 7 and 10 frames, and one for testing; 16x24 pixels."""
    random = np.random.default_rng(0)
    for name, frames in (("train/a", 7), ("train/b", 10), ("test/c", 9)):
        path = tmp_path / "data" / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, random.integers(0, 256, (frames, 16, 24, 3), np.uint8))
    return tmp_path / "data"


def data_config(folder, channels=3):
    return DataConfig(
        dataset="folder",
        datadir=str(folder),
        height=16,
        width=24,
        channels=channels,
        seq_len=3,
        cache_dir=str(folder.parent / "cache"),
    )


@pytest.fixture
def experiment(folder, tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text(
        f"data: {{dataset: folder, datadir: {folder}, height: 16, width: 24, channels: 3, "
        f"seq_len: 3, cache_dir: {tmp_path / 'cache'}}}\n"
        "evaluation: {context: 2, seq_len: 4}\n"
    )
    return path


@pytest.mark.parametrize("channels", [1, 3])
def test_training_clips_are_the_first_that_training_gets(folder, channels):
    split = VideoSplit(data_config(folder, channels), "train", seed=5)
    clips = shown_clips(split, "train", count=4)
    assert len(clips) == 4
    (batch,) = split.training_batches(4).take(1)
    for clip, trained in zip(clips, batch.numpy(), strict=True):
        np.testing.assert_array_equal(clip.frames, np.rint(trained * 255))
        whole = read_video(folder / clip.name, 16, 24, channels)
        np.testing.assert_array_equal(clip.frames, whole[clip.first : clip.first + 3])
        assert clip.video_length == len(whole)


def test_other_splits_are_shown_from_beginning_to_end(folder):
    split = VideoSplit(data_config(folder), "train")  # five windows
    first = [(clip.name[-5], clip.first) for clip in shown_clips(split, "val", count=3)]
    assert first == [("a", 0), ("b", 0), ("b", 6)]
    assert len(shown_clips(split, "val", count=50)) == 5


def test_what_is_written_and_said(experiment, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["show", "--config", str(experiment)]) == 0
    printed = capsys.readouterr().out
    assert "mine: folder, train split, 24x16 RGB, 5 of 5 windows" in printed
    assert "videos: 2 of 7 to 10 frames (median 8.5); windows: 5 of 3 frames; 2 of 17" in printed
    assert "train/b.npy: frames 4-6 of 10, values 0 to 255, mean 1" in printed
    assert "note:" not in printed
    out = tmp_path / "show" / "mine-train"
    assert f"contact sheet: {out.relative_to(tmp_path) / 'contact_sheet.png'}" in printed
    rows = list(csv.reader((out / "videos.csv").open()))
    expected = [
        ["video", "frames", "windows"],
        ["train/a.npy", "7", "2"],
        ["train/b.npy", "10", "3"],
    ]
    assert rows == expected
    assert len(read_video(out / "clips.gif")) == 3
    # The test split is shown as the evaluation cuts it.
    flags = ["--split", "test", "--num-clips", "1", "--out", str(tmp_path / "other")]
    assert main(["show", "--config", str(experiment), *flags]) == 0
    printed = capsys.readouterr().out
    assert "1 of 2 windows; blue: context, orange: to be predicted" in printed
    assert len(read_video(tmp_path / "other" / "clips.gif")) == 4
    # A generator has no context: its windows are those of training.
    generator = OWN["hierarchical"]._replace(generates=True)
    monkeypatch.setitem(OWN, "hierarchical", generator)
    assert main(["show", "--config", str(experiment), *flags]) == 0
    assert "1 of 3 windows\n" in capsys.readouterr().out
    assert len(read_video(tmp_path / "other" / "clips.gif")) == 3


def test_prepared_shards_look_as_the_files_do(experiment, folder, tmp_path, capsys):
    prepared = tmp_path / "prepared"
    flags = ["--source", str(folder), "--out", str(prepared), "--size", "16x24", "--channels", "3"]
    assert main(["prepare", "folder", *flags]) == 0
    assert len(list(prepared.glob("train-*.tfrecord"))) == 2
    for name, datadir in (("raw", folder), ("shards", prepared)):
        flags = ["--datadir", str(datadir), "--out", str(tmp_path / name)]
        assert main(["show", "--config", str(experiment), *flags]) == 0
    for file in ("contact_sheet.png", "clips.gif"):
        assert (tmp_path / "raw" / file).read_bytes() == (tmp_path / "shards" / file).read_bytes()


def clip(name, frames):
    return ShownClip(name, 0, len(frames), frames)


def test_suspicions():
    random = np.random.default_rng(0)
    good = [random.integers(0, 256, (3, 8, 8, 1), np.uint8) for _ in range(2)]
    still = np.repeat(good[0][:1], 3, axis=0)
    faint = random.integers(0, 2, (3, 8, 8, 1), np.uint8)  # 0 and 1, as if read as 0 to 255
    assert suspicions([clip("a", good[0]), clip("b", good[1])]) == []
    assert suspicions([clip("a", good[0][:1])]) == []  # a single frame has nothing to change to
    clips = [clip("a", good[0]), clip("still", still), clip("faint", faint), clip("a2", good[0])]
    assert suspicions(clips) == [
        "1 of the 4 clips shown do not change from frame to frame: still frames 1-3 of 3",
        "1 of the 4 clips shown differ by less than 16 of 255 levels, so are hardly visible: faint "
        "frames 1-3 of 3",
        "1 of the 4 clips shown equal another one, pixel by pixel: a2 frames 1-3 of 3",
    ]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--num-clips", "0"], "--num-clips must be from 1 to 100, found 0"),
        (["--num-clips", "101"], "--num-clips must be from 1 to 100, found 101"),
        (["--datadir", "/nowhere"], "there is no folder /nowhere"),
        (["--set", "data.seq_len=11"], "has 7 frames, 11 are needed"),
        (["--set", "data.hight=11"], "did you mean 'data.height'?"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(experiment, tmp_path, capsys, flags, message):
    out = tmp_path / "out"
    assert main(["show", "--config", str(experiment), "--out", str(out), *flags]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_a_place_that_cannot_be_written_to(experiment, capsys):
    assert main(["show", "--config", str(experiment), "--out", str(experiment)]) == 2
    assert "choose a folder that you can write to" in capsys.readouterr().err
