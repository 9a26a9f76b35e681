"""Broken files: no traceback, no hang, each named in one line, the good ones still made."""

from __future__ import annotations

import codecs
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from broken_inputs import Mutator, make_readable, real_files

from hvp.__main__ import main
from hvp.config import DataConfig
from hvp.data.archives import is_archive
from hvp.data.sources import open_source
from hvp.data.video_io import read_video
from hvp.errors import UserError
from hvp.text import one_line

SEED = 20240806
GOOD = 3
NOBODY = 65534
SECONDS = 30


@pytest.fixture
def workplace():
    """A folder for everybody, in which the rights of files hold also where tests run as root."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o777)
        files = real_files(root / "real")
        yield root, files, lambda: user == 0 and os.seteuid(NOBODY)
        os.seteuid(user)
        make_readable(root)


def everything_below(folder):
    return set(folder.rglob("*"))


def read_or_refuse(path, seconds):
    """What `read_video` says of a file: `None`, or its one line."""
    start = time.perf_counter()
    try:
        read_video(path, 32, 32, 3)
        refused = None
    except UserError as error:
        refused = " ".join(str(error).split())
    seconds[path] = time.perf_counter() - start
    return refused


def check_broken_inputs(workplace, capsys, count):
    root, files, drop_rights = workplace
    train = root / "videos/train"
    train.mkdir(parents=True)
    (root / "videos/test").mkdir()
    for number in range(GOOD):
        frames = np.full((12, 16, 16), 50 * number, np.uint8)
        np.save(train / f"good{number}.npy", frames)
        np.save(root / f"videos/test/good{number}.npy", frames)
    broken = Mutator(files, train, SEED).make(count)
    archives = [path for path in broken if is_archive(path)]
    out, cache = root / "out", root / "cache"
    for folder in (out, cache):
        folder.mkdir()
        folder.chmod(0o777)
    # Once before the rights are dropped, as Python may then not import any more.
    first = ["--source", str(root / "videos/test"), "--out", str(out), "--size", "8"]
    assert main(["prepare", "folder", *first]) == 0
    arguments = ["prepare", "folder", "--source", str(root / "videos"), *map(str, archives)]
    arguments += ["--out", str(out), "--size", "32", "--overwrite", "--workers", "2"]
    before = everything_below(root) - everything_below(out)
    codecs.lookup("cp437")  # of names in zip files
    capsys.readouterr()
    drop_rights()

    seconds = {}
    refused = {p: read_or_refuse(p, seconds) for p in broken if p not in archives}
    assert max(seconds.values()) < SECONDS, max(seconds, key=seconds.get)

    start = time.perf_counter()
    assert main(arguments) == 2
    assert time.perf_counter() - start < SECONDS + 1.5 * sum(seconds.values())
    lines = capsys.readouterr().err.splitlines()
    left_out = [line for line in lines if line.startswith("left out: ")]
    assert lines[-1].startswith(f"error: {len(left_out)} of ")
    assert not any("Traceback" in line for line in lines)
    # Nothing appears but in the output folder, and the broken files are as they were.
    assert everything_below(root) - everything_below(out) == before
    assert not Path("/tmp/hvp-escaped.npy").exists()

    info = json.loads((out / "info.json").read_text())
    made = [clip["name"] for shard in info["splits"]["train"] for clip in shard["clips"]]
    for number in range(GOOD):
        assert f"train/good{number}.npy" in made
    for path in broken:
        named = [line for line in left_out if path.name[:4] in line]
        if path in archives:  # some are damaged where it does not matter
            outside = "outside" in path.name
            assert len(named) >= outside
            assert all(path.name in line for line in named)
            continue
        shown = one_line(path.name)
        assert (refused[path] is None) == any(path.name[:4] in name for name in made), path.name
        assert len(named) == (refused[path] is not None), path.name
        assert all(shown in line for line in named)

    # Straight from the folder the same ones are left out, and short ones too.
    config = DataConfig(
        dataset="folder",
        datadir=str(root / "videos"),
        height=32,
        width=32,
        channels=3,
        cache_dir=str(cache),
        unusable_videos="skip",
    )
    source = open_source(config, "train", 5, 0)
    direct = {name for name in source.names if not name.startswith("train/good")}
    assert len(source.names) - len(direct) == GOOD
    assert len(source.skipped) + len(direct) == len(broken) - len(archives)
    for path in broken:
        if "single" in path.name:
            assert [
                line for line in source.skipped if f"{path}: is a single picture, 5 are" in line
            ]
    refusals = [line for line in refused.values() if line]
    assert len(refusals) > 0.5 * len(refused)
    return len(refusals), len(archives)


def test_some_broken_inputs(workplace, capsys):
    check_broken_inputs(workplace, capsys, count=42)


@pytest.mark.slow
def test_two_hundred_broken_inputs(workplace, capsys):
    refused, archives = check_broken_inputs(workplace, capsys, count=200)
    assert refused > 100
    assert archives == 28
