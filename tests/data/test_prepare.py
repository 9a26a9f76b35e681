"""`python -m hvp prepare`: complete, resumable, checked, and readable as a data source."""

from __future__ import annotations

import json
import os
import signal
import time
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hvp.__main__ import main
from hvp.config import DataConfig
from hvp.data import prepare as prepare_module
from hvp.data import prepare_state
from hvp.data.sources import open_source
from hvp.data.sources.kth import read_sequences
from hvp.data.video_io import read_video, write_mp4
from hvp.data.video_split import VideoSplit
from hvp.errors import UserError


@pytest.fixture
def official(tmp_path):
    """KTH as downloaded: two clips, and a zip file with two more in a folder of its own."""
    folder = tmp_path / "official"
    (folder / "deeper").mkdir(parents=True)
    for i, name in enumerate(("person01_boxing_d1", "person20_walking_d2")):
        clip(folder / "deeper" / f"{name}_uncomp.avi", level=60 * i + 60)
    with zipfile.ZipFile(folder / "running.zip", "w") as archive:
        for i, name in enumerate(("person21_running_d1", "person25_running_d4")):
            path = tmp_path / f"{name}_uncomp.avi"
            clip(path, level=200 + 20 * i)
            archive.write(path, f"running/{path.name}")
        archive.writestr("readme.txt", "not a clip")
    return folder


def clip(path, level, frames=30):
    path.parent.mkdir(parents=True, exist_ok=True)
    video = np.full((frames, 24, 32, 3), level, np.uint8)
    video[:, :, :16] = 20
    write_mp4(path, video, quality=5)


def prepare(source, out, *extra, dataset="kth"):
    return main(["prepare", dataset, "--source", str(source), "--out", str(out), *map(str, extra)])


def clips(out):
    """Split/name -> frames, as `info.json` lists them."""
    info = json.loads((out / "info.json").read_text())
    return {
        f"{split}/{clip['name']}": clip["length"]
        for split, shards in info["splits"].items()
        for shard in shards
        for clip in shard["clips"]
    }


def stamps(out):
    return {path.name: path.stat().st_mtime_ns for path in out.glob("*.tfrecord")}


ALL = {
    "test/person21_running_d1": 30,
    "test/person25_running_d4": 30,
    "train/person01_boxing_d1": 30,
    "train/person20_walking_d2": 30,
}


def test_folder_with_clips_and_zip_files(official, tmp_path, capsys):
    out = tmp_path / "kth"
    assert prepare(official, out, "--size", "16x20", "--workers", 2) == 0
    assert clips(out) == ALL
    assert "4 clips made" in capsys.readouterr().out
    info = json.loads((out / "info.json").read_text())
    assert info["dataset"] == "kth"
    assert info["counts"] == {s: {"clips": 2, "frames": 60} for s in ("train", "test")}
    assert (info["options"]["height"], info["options"]["width"]) == (16, 20)
    assert sorted(path.name for path in out.iterdir()) == sorted(["info.json", *stamps(out)])
    # The records are plain ones, which any reader of TFRecords understands.
    (record, _) = tf.data.TFRecordDataset(sorted(map(str, out.glob("test*")))).as_numpy_iterator()
    features = tf.train.Example.FromString(record).features.feature
    assert features["name"].bytes_list.value == [b"person21_running_d1"]
    assert list(features["shape"].int64_list.value) == [30, 16, 20, 1]
    frames = np.frombuffer(features["frames"].bytes_list.value[0], np.uint8).reshape(30, 16, 20)
    assert np.abs(frames[:, :, 12:].astype(int) - 200).max() < 4
    assert np.abs(frames[:, :, :8].astype(int) - 20).max() < 4
    assert main(["prepare", "kth", "--out", str(out), "--check"]) == 0
    assert "4 clips, 120 frames" in capsys.readouterr().out


def test_prepared_folders_are_data_sources(official, tmp_path):
    """The same frames as straight from the videos, in windows of any place and order."""
    out = tmp_path / "kth"
    assert prepare(official, out, "--size", 16) == 0
    config = DataConfig(dataset="kth", datadir=str(out), height=16, width=16, seq_len=7)
    source = open_source(config, "train", 7, 0)
    assert (source.names, source.lengths) == (
        ["person01_boxing_d1", "person20_walking_d2"],
        [30] * 2,
    )
    whole = read_video(official / "deeper/person20_walking_d2_uncomp.avi", 16, 16, 1)
    np.testing.assert_array_equal(source.read(1, 11, 7), whole[11:18])
    np.testing.assert_array_equal(source.read(1, 23, 7), whole[23:])
    split = VideoSplit(config, "val")
    assert split.num_windows == 8
    batch = next(iter(split.evaluation_batches(3)))
    assert batch["name"][0] == b"person21_running_d1[0:7]"
    assert batch["video"].shape == (3, 7, 16, 16, 1)
    anything = DataConfig(dataset="prepared", datadir=str(out), height=8, width=8, channels=3)
    assert open_source(anything, "test", 30, 0).read(0, 0, 30).shape == (30, 8, 8, 3)
    shorter = DataConfig(**{**vars(config), "max_video_len": 9})
    assert open_source(shorter, "train", 7, 0).lengths == [9, 9]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"dataset": "mazes"}, "was prepared from kth, but data.dataset is mazes"),
        ({"height": 64}, "was prepared at 16x16, smaller than"),
        ({"crop": "center"}, "was prepared with --crop none"),
        ({"seq_len": 31}, "4 of 4 videos|2 of 2 videos"),
    ],
)
def test_prepared_folders_that_do_not_fit(official, tmp_path, changes, expected):
    out = tmp_path / "kth"
    assert prepare(official, out, "--size", 16) == 0
    settings = {"dataset": "kth", "height": 16, "width": 16, "seq_len": 5, **changes}
    with pytest.raises(UserError, match=expected):
        VideoSplit(DataConfig(datadir=str(out), **settings), "train")


def test_workers_read_disjoint_windows_in_the_order_of_one(tmp_path):
    for split, first in (("train", 0), ("test", 200)):
        (tmp_path / "videos" / split).mkdir(parents=True)
        for name, level in (("a", first), ("b", first + 30)):
            levels = np.arange(level, level + 30, dtype=np.uint8)  # every frame has its own
            np.save(
                tmp_path / f"videos/{split}/{name}.npy",
                levels[:, None, None].repeat(8, 1).repeat(8, 2),
            )
    assert prepare(tmp_path / "videos", tmp_path / "out", "--size", 8, dataset="folder") == 0
    config = DataConfig(
        dataset="folder", datadir=str(tmp_path / "out"), height=8, width=8, seq_len=6
    )

    def first_levels(**shard):
        batches = VideoSplit(config, "train", seed=3).training_batches(10, **shard).take(3)
        return [
            np.rint(batch.numpy()[:, 0, 0, 0, 0] * 255).astype(int).tolist() for batch in batches
        ]

    whole, parts = first_levels(), [first_levels(shard=(worker, 2)) for worker in range(2)]
    for epoch, left, right in zip(whole, *parts, strict=True):
        assert left + right == epoch
        assert sorted(epoch) == list(range(0, 60, 6))  # all windows once, no worker another's


def test_it_goes_on_where_it_stopped(official, tmp_path, capsys):
    out = tmp_path / "kth"
    assert prepare(official, out, "--size", 8) == 0
    before = stamps(out)
    assert len(before) == 4
    (out / "test-00000-of-00002.tfrecord").unlink()
    damaged = out / "train-00000-of-00002.tfrecord"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    assert main(["prepare", "kth", "--out", str(out), "--check"]) == 2
    message = capsys.readouterr().err
    assert "2 shards are damaged" in message
    assert "train-00000-of-00002.tfrecord: its content has changed" in message
    assert prepare(official, out, "--size", 8) == 0
    assert "2 clips made, 2 were there already" in capsys.readouterr().out
    after = stamps(out)
    assert [name for name in before if before[name] == after[name]] == [
        name for name in before if "00001-of" in name
    ]
    assert main(["prepare", "kth", "--out", str(out), "--check"]) == 0
    assert prepare(official, out, "--size", 8, "--overwrite") == 0
    assert not set(stamps(out).values()) & set(after.values())


def test_files_that_have_changed_or_come_are_made(official, tmp_path, capsys):
    out = tmp_path / "kth"
    assert prepare(official, out, "--size", 8) == 0
    clip(official / "deeper/person01_boxing_d1_uncomp.avi", level=90, frames=20)
    assert prepare(official, out, "--size", 8) == 0
    assert "1 clips made, 3 were there already" in capsys.readouterr().out
    assert clips(out) == {**ALL, "train/person01_boxing_d1": 20}
    clip(official / "person02_boxing_d1_uncomp.avi", level=90, frames=12)
    assert prepare(official, out, "--size", 8) == 0
    assert clips(out)["train/person02_boxing_d1"] == 12
    assert len(stamps(out)) == 5  # those of the other division are gone
    assert main(["prepare", "kth", "--out", str(out), "--check"]) == 0


def test_other_options_do_not_mix_with_what_is_there(official, tmp_path, capsys):
    out = tmp_path / "kth"
    assert prepare(official, out, "--size", 8) == 0
    for extra in (["--size", 16], ["--size", 8, "--every", 2]):
        capsys.readouterr()
        assert prepare(official, out, *extra) == 2
        message = capsys.readouterr().err
        assert "was made of another data set or with other options" in message
        assert message.count("\n") == 1
    assert clips(out) == ALL
    (out / "info.json").write_text("{")
    assert prepare(official, out, "--size", 8) == 2
    assert "info.json: is damaged" in capsys.readouterr().err


def test_an_interrupted_run_leaves_no_half_shard(official, tmp_path, monkeypatch, capsys):
    out = tmp_path / "kth"
    read = prepare_module.read_video

    def interrupted(path, *rest, **options):
        if "person20" in path.name:
            raise KeyboardInterrupt
        return read(path, *rest, **options)

    monkeypatch.setattr(prepare_module, "read_video", interrupted)
    assert prepare(official, out, "--size", 8, "--workers", 1) == 130
    monkeypatch.undo()
    assert not (out / "info.json").exists()
    assert not list(out.glob("*.partial"))
    made = stamps(out)
    assert 0 < len(made) < 4
    with pytest.raises(UserError, match="its preparation was not finished"):
        VideoSplit(DataConfig(dataset="prepared", datadir=str(out), seq_len=5), "train")
    assert prepare(official, out, "--size", 8) == 0
    assert f"{len(made)} were there already" in capsys.readouterr().out
    assert clips(out) == ALL
    assert made.items() <= stamps(out).items()


def test_sigterm_is_as_clean_as_ctrl_c(official, tmp_path, monkeypatch, capsys):
    out = tmp_path / "kth"
    read = prepare_module.read_video

    def terminated(path, *rest, **options):
        if "person20" in path.name:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.5)
        return read(path, *rest, **options)

    monkeypatch.setattr(prepare_module, "read_video", terminated)
    assert prepare(official, out, "--size", 8, "--workers", 1) == 143
    assert capsys.readouterr().err.endswith("terminated\n")
    monkeypatch.undo()
    assert not (out / "info.json").exists()
    assert not list(out.rglob("*.partial"))
    assert prepare(official, out, "--size", 8) == 0
    assert clips(out) == ALL


def test_two_processes_do_not_write_at_once(official, tmp_path, capsys):
    out = tmp_path / "kth"
    assert prepare(official, out, "--size", 8) == 0
    before = stamps(out)
    with prepare_state.alone(out):
        for extra in ([], ["--overwrite"]):
            assert prepare(official, out, "--size", 8, *extra) == 2
            assert f"another process is preparing {out}" in capsys.readouterr().err
    assert stamps(out) == before
    assert not (out / ".work").exists()
    assert main(["prepare", "kth", "--out", str(out), "--check"]) == 0


def test_other_files_in_the_folder_stay(official, tmp_path):
    out = tmp_path / "kth"
    out.mkdir()
    mine = [out / "mine.tfrecord", out / "mine.partial", out / "notes.txt"]
    for path in mine:
        path.write_text("mine")
    for extra in ([], ["--overwrite"]):
        assert prepare(official, out, "--size", 8, *extra) == 0
        assert all(path.read_text() == "mine" for path in mine)
    assert len(stamps(out)) == 5


def test_what_was_made_is_no_source(official, tmp_path, capsys):
    out = official / "a"
    assert prepare(official, out, "--size", 8) == 0
    assert prepare(official, out, "--size", 8, "--overwrite") == 0
    assert "4 clips made" in capsys.readouterr().out
    assert prepare(out, out, "--size", 8) == 2
    assert "there is no kth in" in capsys.readouterr().err


def test_broken_clips_are_named_and_the_others_made(official, tmp_path, capsys):
    bad = official / "person02_boxing_d1_uncomp.avi"
    bad.write_bytes((official / "deeper/person01_boxing_d1_uncomp.avi").read_bytes()[:700])
    out = tmp_path / "kth"
    assert prepare(official, out, "--size", 8) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("error: 1 of 5 clips could not be used, 4 clips are complete in")
    assert str(bad) in message
    assert clips(out) == ALL
    assert str(bad) in json.loads((out / "info.json").read_text())["problems"][0]
    clip(bad, level=10)  # mended, only its own shard is made
    assert prepare(official, out, "--size", 8) == 0
    assert "1 clips made, 4 were there already" in capsys.readouterr().out


def test_a_damaged_member_is_named(official, tmp_path, capsys):
    archive = official / "running.zip"
    content = bytearray(archive.read_bytes())
    content[700:740] = b"x" * 40
    archive.write_bytes(content)
    out = tmp_path / "kth"
    assert prepare(official, out, "--size", 8) == 2
    assert "running.zip:running/person21_running_d1" in capsys.readouterr().err
    assert list(clips(out)) == list(ALL)[1:]


def test_sequences(official, tmp_path, capsys):
    listing = tmp_path / "00sequences.txt"
    listing.write_bytes(
        b"person01_boxing_d1\t\tframes\t1-10, 15-30\r\n\r\nperson20_walking_d2\tframes\t2-40\r\n"
        b"person21_running_d1\tframes\t3-4\r\nperson25_running_d4\t*missing*\r\n"
    )
    out = tmp_path / "kth"
    assert prepare(official, out, "--sequences", listing) == 0
    assert clips(out) == {
        "test/person21_running_d1_1": 2,
        "train/person01_boxing_d1_1": 10,
        "train/person01_boxing_d1_2": 16,
        "train/person20_walking_d2_1": 29,
    }
    assert "person20_walking_d2_1 ends at frame 30" in capsys.readouterr().err


def test_the_official_listing_and_clip(shared_file, tmp_path):
    kth = shared_file("data/kth", "that the published listing fits the published clip")
    ranges = read_sequences(kth / "00sequences.txt")
    assert len(ranges) == 599 + 1  # one is marked as missing
    assert ranges["person13_handclapping_d3"] == []
    assert ranges["person01_boxing_d1"] == [(1, 95), (96, 185), (186, 245), (246, 360)]
    out = tmp_path / "kth"
    listing = kth / "00sequences.txt"
    assert prepare(kth, out, "--sequences", listing) == 0
    config = DataConfig(dataset="kth", datadir=str(out))
    source = open_source(config, "train", 5, 0)
    assert source.lengths == [95, 90, 60, 115]
    parts = [source.read(i, 0, length) for i, length in enumerate(source.lengths)]
    whole = read_video(kth / "person01_boxing_d1_uncomp.avi", 64, 64, 1)
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_resampling_and_crop(tmp_path):
    video = np.zeros((10, 16, 32, 3), np.uint8)
    video[:, :, 8:24] = np.arange(0, 250, 25, dtype=np.uint8)[:, None, None, None]
    for split in ("train", "test"):
        (tmp_path / "videos" / split).mkdir(parents=True)
        write_mp4(tmp_path / f"videos/{split}/a.mp4", video, fps=10, quality=1)
    for out, extra in (("half", ["--every", 2]), ("rate", ["--fps", 5])):
        arguments = [*extra, "--size", 8, "--crop", "center", "--max-frames", 4]
        assert prepare(tmp_path / "videos", tmp_path / out, *arguments, dataset="folder") == 0
        config = DataConfig(dataset="folder", datadir=str(tmp_path / out), height=8, width=8)
        frames = open_source(config, "train", 4, 0).read(0, 0, 4)
        assert np.abs(frames.mean(axis=(1, 2, 3)) - [0, 50, 100, 150]).max() < 4
        assert np.ptp(frames[3].astype(int)) < 12  # the dark sides are cut off


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--source", "nowhere"], "there is no nowhere"),
        (["--source", "."], "there is no kth in .: get the six zip files"),
        (["--source", "x.zip"], "x.zip: cannot be read as an archive"),
        (["--source", "x.rar"], "unpack x.rar yourself"),
        (["--source", "x.txt"], "x.txt is neither a folder nor a .zip or .tar file"),
        (["--size", "0"], "--size is 0"),
        (["--size", "64x"], "--size is 64x"),
        (["--workers", "0"], "--workers must be at least 1, found 0"),
        (["--every", "0"], "--every must be at least 1, found 0"),
        (["--fps", "5", "--every", "2"], "not allowed with argument"),
        (["--sequences", "backwards.txt"], "person01_boxing_d1 lists 20-10"),
        (["--sequences", "x.zip"], "lists no clips"),
        (["--out", "x.zip"], "cannot write to x.zip"),
        (["--check"], "holds no info.json"),
    ],
)
def test_mistakes(official, tmp_path, capsys, monkeypatch, arguments, expected):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    if arguments != ["--source", "."]:
        for name in ("x.zip", "x.rar", "x.txt"):
            (tmp_path / "empty" / name).write_text("not what its name says")
    (tmp_path / "empty/backwards.txt").write_text("person01_boxing_d1\tframes\t20-10\n")
    assert prepare(official, tmp_path / "kth", *arguments) == 2
    message = capsys.readouterr().err
    assert expected in message
    assert message.count("\n") == 1


def test_what_cannot_be_prepared(tmp_path, capsys):
    out = ["--out", str(tmp_path / "out")]
    for arguments, expected in (
        (["kht"], "DATASET is 'kht'; did you mean 'kth'?"),
        (["prepared"], "DATASET is 'prepared', which is what this command makes"),
        (["folder", "--num-videos", "20"], "--num-videos is for data that are generated"),
        (["toy", "--source", "."], "--source: moving_shapes is generated, not read"),
        (["mazes", "--sequences", "x"], "--sequences: mazes comes with no listing of sequences"),
    ):
        assert main(["prepare", *arguments, *out]) == 2
        message = capsys.readouterr().err
        assert expected in message
        assert message.count("\n") == 1


def test_a_full_disk_is_one_line(official, tmp_path, capsys, monkeypatch):
    class Full(tf.io.TFRecordWriter):
        def write(self, record):
            raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.io, "TFRecordWriter", Full)
    assert prepare(official, tmp_path / "kth", "--size", 8) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith(f"error: cannot write to {tmp_path / 'kth'}")
    assert "No space left" in message


def test_sixteen_bits(tmp_path, capsys):
    """Refused with the flag that takes them, in arrays and in pictures; its use is recorded."""
    levels = np.linspace(0, 65535, 6).round().astype(np.uint16)
    (tmp_path / "raw/train").mkdir(parents=True)
    np.save(tmp_path / "raw/train/a.npy", levels[:, None, None] * np.ones((8, 8), np.uint16))
    (tmp_path / "raw/test/b").mkdir(parents=True)
    for number, level in enumerate(levels):
        picture = np.full((8, 8), level, np.uint16)
        Image.fromarray(picture).save(tmp_path / f"raw/test/b/{number}.png")
    command = ["prepare", "folder", "--source", str(tmp_path / "raw"), "--size", "8"]
    command += ["--channels", "1", "--out"]
    assert main([*command, str(tmp_path / "refused")]) == 2
    told = capsys.readouterr().err
    assert told.count("of prepare: --sixteen-bit scale) takes 0 to 65535") >= 2
    assert main([*command, str(tmp_path / "made"), "--sixteen-bit", "scale"]) == 0
    info = json.loads((tmp_path / "made/info.json").read_text())
    assert info["options"]["sixteen_bit"] == "scale"
    settings = {"height": 8, "width": 8, "channels": 1, "datadir": str(tmp_path / "made")}
    for split in ("train", "test"):
        source = open_source(DataConfig(dataset="folder", **settings), split, 6, 0)
        assert source.read(0, 0, 6)[:, 4, 4, 0].tolist() == [0, 51, 102, 153, 204, 255]
    assert main([*command, str(tmp_path / "made")]) == 2
    assert "made of another data set or with other options" in capsys.readouterr().err
