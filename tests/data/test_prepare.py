"""`python -m hvp prepare kth`."""

from __future__ import annotations

import shutil
import zipfile

import numpy as np
import pytest

from hvp.__main__ import main
from hvp.data import prepare as prepare_module
from hvp.data.prepare import read_sequences
from hvp.data.video_io import read_video, write_mp4


@pytest.fixture
def official(tmp_path):
    """A folder as downloaded: two clips, and a zip file with two more below another path."""
    folder = tmp_path / "official"
    (folder / "deeper").mkdir(parents=True)
    for i, name in enumerate(("person01_boxing_d1", "person20_walking_d2")):
        clip(folder / "deeper" / f"{name}_uncomp.avi", level=60 * i + 60)
    with zipfile.ZipFile(folder / "running.zip", "w") as archive:
        for i, name in enumerate(("person21_running_d1", "person25_running_d4")):
            path = tmp_path / f"{name}_uncomp.avi"
            clip(path, level=200 + 20 * i)
            archive.write(path, f"../../somewhere/{path.name}")
        archive.writestr("readme.txt", "not a clip")
    return folder


def clip(path, level, frames=30):
    video = np.full((frames, 120, 160, 3), level, np.uint8)
    video[:, :, :80] = 20
    write_mp4(path, video, quality=5)


def prepare(source, out, *extra):
    return main(["prepare", "kth", "--source", str(source), "--out", str(out), *map(str, extra)])


def made(out):
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.suffix == ".mp4")


ALL = [
    "test/person21_running_d1.mp4",
    "test/person25_running_d4.mp4",
    "train/person01_boxing_d1.mp4",
    "train/person20_walking_d2.mp4",
]


def test_folder_with_clips_and_zip_files(official, tmp_path, capsys):
    out = tmp_path / "kth"
    assert prepare(official, out) == 0
    assert made(out) == ALL
    assert "4 clips made" in capsys.readouterr().out
    video = read_video(out / "test/person25_running_d4.mp4")
    assert video.shape == (30, 64, 64, 3)
    assert np.abs(video[:, :, 40:].astype(int) - 220).max() < 4
    assert np.abs(video[:, :, :24].astype(int) - 20).max() < 4
    assert not list(tmp_path.parent.glob("somewhere"))


def test_it_goes_on_where_it_stopped(official, tmp_path, capsys):
    out = tmp_path / "kth"
    assert prepare(official, out, "--size", 32) == 0
    (out / ALL[0]).unlink()
    stamp = (out / ALL[1]).stat().st_mtime_ns
    assert prepare(official, out, "--size", 32) == 0
    assert "1 clips made, 3 were there already" in capsys.readouterr().out
    assert (out / ALL[1]).stat().st_mtime_ns == stamp
    assert prepare(official, out, "--size", 32, "--overwrite") == 0
    assert (out / ALL[1]).stat().st_mtime_ns != stamp


def test_another_size_or_listing_does_not_mix_with_what_is_there(official, tmp_path, capsys):
    out = tmp_path / "kth"
    assert prepare(official, out, "--size", 32) == 0
    listing = tmp_path / "listing.txt"
    listing.write_text("person01_boxing_d1\tframes\t1-10\n")
    for extra in (["--size", 64], ["--size", 32, "--sequences", listing]):
        capsys.readouterr()
        assert prepare(official, out, *extra) == 2
        message = capsys.readouterr().err
        assert f"{out} was made with another --size or --sequences" in message
        assert message.count("\n") == 1
    assert made(out) == ALL
    (out / ".prepared.json").write_text("{")
    assert prepare(official, out, "--size", 32) == 2
    assert ".prepared.json: is damaged" in capsys.readouterr().err


def test_what_was_made_is_no_source(official, tmp_path, capsys):
    """Also when the result lies within the source, with what a killed run left there."""
    out = official / "a"  # comes first in the order of names
    assert prepare(official, out, "--size", 32) == 0
    (out / ".partial-killed").mkdir()
    (out / ".partial-killed/person01_boxing_d1.avi").write_bytes(b"RIFF")
    assert prepare(official, out, "--size", 32, "--overwrite") == 0
    assert "4 clips made" in capsys.readouterr().out
    assert prepare(out, out, "--size", 32) == 2
    assert "no KTH clip" in capsys.readouterr().err


def test_an_interrupted_run_leaves_no_half_clip(official, tmp_path, monkeypatch, capsys):
    out = tmp_path / "kth"
    write = prepare_module.write_mp4

    def interrupted(path, *rest, **options):
        if "person20" in path.name:
            path.write_bytes(b"half a clip")
            raise KeyboardInterrupt
        write(path, *rest, **options)

    monkeypatch.setattr(prepare_module, "write_mp4", interrupted)
    assert prepare(official, out, "--size", 32, "--workers", 1) == 130
    monkeypatch.undo()
    assert not (out / "train/person20_walking_d2.mp4").exists()
    assert not list(out.glob(".partial-*"))
    assert prepare(official, out, "--size", 32) == 0
    assert made(out) == ALL
    assert all(read_video(out / path).shape == (30, 32, 32, 3) for path in ALL)


def test_broken_clips_are_named_and_the_others_made(official, tmp_path, capsys):
    bad = official / "person02_boxing_d1_uncomp.avi"
    bad.write_bytes((official / "deeper/person01_boxing_d1_uncomp.avi").read_bytes()[:3000])
    out = tmp_path / "kth"
    assert prepare(official, out) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("error: 1 of 5 clips could not be used, 4 clips are complete in")
    assert str(bad) in message
    assert made(out) == ALL


def test_a_damaged_member_is_named(official, tmp_path, capsys):
    archive = official / "running.zip"
    content = bytearray(archive.read_bytes())
    content[300:340] = bytes(40)
    archive.write_bytes(content)
    out = tmp_path / "kth"
    assert prepare(official, out) == 2
    assert "running.zip:../../somewhere/person21_running_d1" in capsys.readouterr().err
    assert made(out) == ALL[1:]


def test_sequences(official, tmp_path, capsys):
    listing = tmp_path / "00sequences.txt"
    listing.write_bytes(
        b"person01_boxing_d1\t\tframes\t1-10, 15-30\r\n\r\nperson20_walking_d2\tframes\t2-40\r\n"
        b"person21_running_d1\tframes\t3-4\r\nperson25_running_d4\t*missing*\r\n"
    )
    out = tmp_path / "kth"
    assert prepare(official, out, "--sequences", listing) == 0
    lengths = {path: len(read_video(out / path)) for path in made(out)}
    assert lengths == {
        "test/person21_running_d1_1.mp4": 2,
        "train/person01_boxing_d1_1.mp4": 10,
        "train/person01_boxing_d1_2.mp4": 16,
        "train/person20_walking_d2_1.mp4": 29,
    }
    assert "person20_walking_d2_1.mp4 ends at frame 30" in capsys.readouterr().err


def test_the_official_listing_and_clip(shared, tmp_path):
    ranges = read_sequences(shared / "data/kth/00sequences.txt")
    assert len(ranges) == 599 + 1  # one is marked as missing
    assert ranges["person13_handclapping_d3"] == []
    assert ranges["person01_boxing_d1"] == [(1, 95), (96, 185), (186, 245), (246, 360)]
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(shared / "data/kth/person01_boxing_d1_uncomp.avi", source)
    out = tmp_path / "kth"
    assert prepare(source, out, "--sequences", shared / "data/kth/00sequences.txt") == 0
    parts = [read_video(out / path, channels=1) for path in made(out)]
    assert [len(part) for part in parts] == [95, 90, 60, 115]
    whole = read_video(source / "person01_boxing_d1_uncomp.avi", 64, 64, 1)
    error = np.abs(np.concatenate(parts).astype(int) - whole)
    assert error.mean() < 1.5  # near-lossless


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--source", "nowhere"], "there is no nowhere"),
        (["--source", "."], "no KTH clip"),
        (["--source", "x.zip"], "cannot be read as a zip file"),
        (["--size", "33"], "--size is 33"),
        (["--workers", "0"], "--workers is 0"),
        (["--sequences", "backwards.txt"], "person01_boxing_d1 lists 20-10"),
        (["--sequences", "x.zip"], "lists no clips"),
        (["--out", "x.zip"], "cannot write to x.zip"),
    ],
)
def test_mistakes(official, tmp_path, capsys, monkeypatch, arguments, expected):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    (tmp_path / "empty/x.zip").write_text("not a zip file")
    (tmp_path / "empty/backwards.txt").write_text("person01_boxing_d1\tframes\t20-10\n")
    if arguments[1] == ".":
        (tmp_path / "empty/x.zip").unlink()
    assert prepare(official, tmp_path / "kth", *arguments) == 2
    message = capsys.readouterr().err
    assert expected in message
    assert message.count("\n") == 1
