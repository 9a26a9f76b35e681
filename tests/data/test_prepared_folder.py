"""Prepared folders are believed only as far as they fit together."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from broken_inputs import edited_folder
from time_limits import no_hang

import hvp
from hvp.__main__ import main
from hvp.config import DataConfig
from hvp.data.prepared_folder import read_info
from hvp.data.sources import open_source
from hvp.data.video_split import VideoSplit
from hvp.errors import UserError, command


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A prepared folder of four clips; do not change it."""
    folder = tmp_path_factory.mktemp("made")
    write_videos(folder / "videos")
    arguments = ["--source", str(folder / "videos"), "--out", str(folder / "out"), "--size", "8"]
    assert main(["prepare", "folder", *arguments]) == 0
    return folder / "out"


def write_videos(folder):
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True)
        for name in "ab":
            np.save(
                folder / split / f"{name}.npy",
                random.integers(256, size=(12, 8, 8, 3), dtype=np.uint8),
            )


@pytest.fixture
def out(made, tmp_path):
    """A copy of it."""
    for path in made.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def config(out, **changes):
    return DataConfig(
        dataset="folder", datadir=str(out), height=8, width=8, channels=3, seq_len=6, **changes
    )


def edited(out, change):
    info = json.loads((out / "info.json").read_text())
    change(info)
    (out / "info.json").write_text(json.dumps(info))


def first_shard(info):
    return info["splits"]["train"][0]


EDITS = {
    "a huge length": lambda info: first_shard(info)["clips"][0].update(length=10**9),
    "a negative length": lambda info: first_shard(info)["clips"][0].update(length=-1),
    "an offset beyond the end": lambda info: first_shard(info)["clips"][0].update(offset=10**12),
    "an offset that is no number": lambda info: first_shard(info)["clips"][0].update(offset="0"),
    "another file": lambda info: first_shard(info).update(file="/bin/bash"),
    "a file elsewhere": lambda info: first_shard(info).update(file="../a.tfrecord"),
    "a name with NUL": lambda info: first_shard(info).update(file="a\0.tfrecord"),
    "no name": lambda info: first_shard(info).pop("file"),
    "one file twice": lambda info: info["splits"]["test"].append(first_shard(info)),
    "a size that is true": lambda info: first_shard(info).update(bytes=True),
    "an unknown split": lambda info: info["splits"].update(holdout=[]),
    "splits that are a list": lambda info: info.update(splits=[]),
    "a shard that is a text": lambda info: info["splits"].update(train=["a"]),
    "no options": lambda info: info.pop("options"),
    "huge frames": lambda info: info["options"].update(height=10**6),
    "frames without channels": lambda info: info["options"].update(channels=0),
    "an unknown crop": lambda info: info["options"].update(crop="left"),
    "a rate that is no number": lambda info: info["options"].update(fps=float("nan")),
    "a data set that is a list": lambda info: info.update(dataset=[]),
    "another format": lambda info: info.update(format=2),
    "a format that is a text": lambda info: info.update(format="1"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edits_are_named_before_anything_is_read(out, capsys, edit):
    edited(out, EDITS[edit])
    with pytest.raises(UserError, match=r"info\.json: is (damaged|of format 2)") as caught:
        open_source(config(out), "train", 6, 0)
    assert "\n" not in str(caught.value)
    capsys.readouterr()
    assert main(["prepare", "folder", "--out", str(out), "--check"]) == 2
    message = capsys.readouterr().err
    assert "info.json: is" in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"1", b"\xff\xfe", b"[" * 10**5, b'{"format": ' + b"9" * 5000 + b"}"],
)
def test_what_is_no_info(out, content):
    (out / "info.json").write_bytes(content)
    with pytest.raises(UserError, match=r"info\.json: is damaged") as caught:
        read_info(out)
    assert len(str(caught.value)) < 600


def test_an_info_that_would_fill_the_memory(out):
    (out / "info.json").write_bytes(b"[" + b"{}," * 2**24 + b"{}]")
    with pytest.raises(UserError, match=r"info\.json: is damaged .*more than 50331648 bytes"):
        read_info(out)


def test_further_keys_of_later_versions_are_no_error(out):
    edited(out, lambda info: (info.update(licence="x"), first_shard(info).update(codec=None)))
    assert read_info(out).dataset == "folder"


def test_the_offset_of_other_frames(out):
    """Within the file, so that only the record itself tells."""
    edited(out, lambda info: first_shard(info)["clips"][0].update(length=11))
    with pytest.raises(UserError, match=r"train-00000-of-00002\.tfrecord: holds train/a"):
        open_source(config(out), "train", 6, 0).read(0, 0, 6)
    edited(out, lambda info: first_shard(info)["clips"][0].update(length=12))

    def earlier(info):
        first_shard(info)["clips"][0]["offset"] -= 1

    edited(out, earlier)
    with pytest.raises(UserError, match=r"the frames of train/a\.npy are not where info\.json"):
        open_source(config(out), "train", 6, 0).read(0, 0, 6)


def damage(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("place", [0, 4, 9, 40, 1000, -200, -2])
def test_damaged_record_bytes_of_unchanged_size(out, place):
    """A bit anywhere, whichever window is asked for first; the other shard is read still."""
    victim = out / "train-00001-of-00002.tfrecord"
    damage(victim, place)
    source = open_source(config(out), "train", 6, 0)
    assert source.read(0, 0, 12).shape == (12, 8, 8, 3)
    for _ in range(2):  # it does not pass the second time either
        with pytest.raises(UserError, match=victim.name) as caught:
            source.read(1, 6, 6)
        assert "run python -m hvp prepare again" in str(caught.value)


def test_damage_in_the_pipeline_is_one_line(out, capsys):
    """TensorFlow's threads read; what they find ends a command as any mistake does."""
    victim = out / "train-00001-of-00002.tfrecord"
    damage(victim, 1000)

    @command
    def train():
        for _ in VideoSplit(config(out), "train").training_batches(2).take(4):
            pass

    assert train() == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: {victim}: record 0, train/b.npy, is damaged: ")
    assert message.count("\n") == 1


def test_shards_that_are_no_files(out):
    shard = out / "train-00000-of-00002.tfrecord"
    shard.unlink()
    os.mkfifo(shard)
    with pytest.raises(UserError, match=r"train-00000-of-00002\.tfrecord: is no file"):
        open_source(config(out), "train", 6, 0)
    assert main(["prepare", "folder", "--out", str(out), "--check"]) == 2


def test_damaged_notes_are_made_again(tmp_path):
    """As a kill of the machine may leave them."""
    write_videos(tmp_path / "videos")
    broken = tmp_path / "videos/train/c.npy"
    broken.write_bytes(b"x")
    out = tmp_path / "out"
    prepare = ["prepare", "folder", "--out", str(out), "--size", "8"]
    prepare += ["--source", str(tmp_path / "videos")]
    assert main(prepare) == 2
    notes = sorted((out / ".work").glob("*.tfrecord.json"))
    assert len(notes) == 5
    (out / "info.json").unlink()
    shard = json.loads(notes[0].read_text())
    shard["file"] = "/bin/bash"
    for note, content in zip(notes, ["[]", "[" * 10**5, "", json.dumps(shard), "7"], strict=True):
        note.write_text(content)
    broken.unlink()
    assert main(prepare) == 0
    assert main([*prepare, "--check"]) == 0


def test_equal_data_give_equal_bytes(made, tmp_path):
    """In another process, from another folder, with another order of Python's hashes."""
    write_videos(tmp_path / "elsewhere")
    arguments = ["--source", "elsewhere", "--out", "out", "--size", "8", "--workers", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "hvp", "prepare", "folder", *arguments, "--overwrite"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONHASHSEED": "1",
            "PYTHONPATH": str(Path(hvp.__file__).parents[1]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sums = [
        {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.tfrecord")}
        for folder in (made, tmp_path / "out")
    ]
    assert len(sums[0]) == 4
    assert sums[0] == sums[1]


def read_all(folder):
    """All clips of a prepared folder, or `None` where it is refused in one line."""
    clips = {}
    try:
        for split in ("train", "test"):
            source = open_source(config(folder, unusable_videos="error"), split, 6, 0)
            for number, (name, length) in enumerate(zip(source.names, source.lengths, strict=True)):
                clips[split, name] = source.read(number, 0, length).tobytes()
    except UserError as error:
        assert "\n" not in str(error)
        return None
    return clips


def try_edits(made, folder, capsys, count, seed):
    """Edited folders are refused by readers and `--check` alike, or give what was prepared."""
    random = np.random.default_rng(seed)
    expected, outcomes = read_all(made), Counter()
    for number in range(count):
        out = folder / str(number)
        out.mkdir()
        for path in made.iterdir():
            (out / path.name).write_bytes(path.read_bytes())
        edit = edited_folder(out, random)
        with no_hang():
            clips = read_all(out)
            code = main(["prepare", "folder", "--out", str(out), "--check"])
        printed = capsys.readouterr()
        assert code in (0, 2), edit
        assert "Traceback" not in printed.err, edit
        assert printed.err.count("\n") == (code == 2), edit
        outcomes["refused" if clips is None else "whole" if clips == expected else "less"] += 1
        if clips is not None and clips != expected:
            # Only what is a sound prepared folder of fewer or renamed clips, as the edit says.
            assert code == 0, edit
            assert set(clips.values()) <= set(expected.values()), edit
    return outcomes


def test_some_edits(made, tmp_path, capsys):
    assert try_edits(made, tmp_path, capsys, 25, seed=0)["refused"] > 10


@pytest.mark.campaign
def test_two_hundred_edits(made, tmp_path, capsys):
    seed = int(os.environ.get("HVP_CAMPAIGN_SEED", "0"))
    outcomes = try_edits(made, tmp_path, capsys, 200, seed)
    with capsys.disabled():
        print(f"edits of prepared folders, seed {seed}: {dict(outcomes)}")
    assert outcomes["refused"] > 100
