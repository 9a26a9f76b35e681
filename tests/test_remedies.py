"""What error messages tell users to type works when it is typed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import hvp
from hvp.__main__ import COMMANDS, main, parser_of
from hvp.config import DataConfig, EvaluationConfig, TrainingConfig
from hvp.data.video_io import write_mp4
from hvp.families import OWN, model_config_class

TEXTS = [
    node.value
    for path in sorted(Path(hvp.__file__).parent.rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text("utf-8")))
    if isinstance(node, ast.Constant) and isinstance(node.value, str)
]
SLURM = {"--job-name", "--jobs", "--kill-on-bad-exit", "--noheader", "--ntasks-per-node"}
SLURM |= {"--open-mode", "--output", "--partition", "--requeue", "--signal", "--wait"}
REMEDY = re.compile(r"(?:--set [^\s,;]+ ?)+")


def test_flags_that_are_named_exist():
    sentences = [
        text for text in TEXTS if len(text.split()) > 2
    ]  # not what programs are started by
    named = {flag for text in sentences for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]+\b", text)}
    known = {"--help", "--version"}
    for command in COMMANDS:
        known |= {flag for action in parser_of(command)._actions for flag in action.option_strings}
    assert named - known <= SLURM | {"--index-url"}  # pip's
    assert {"--set", "--logdir", "--checkpoint"} <= named


def test_keys_that_are_named_exist():
    sections = {
        "data": [DataConfig],
        "training": [TrainingConfig],
        "evaluation": [EvaluationConfig],
    }
    sections["model"] = [model_config_class(family) for family in OWN]
    keys = {
        f"{s}.{key}" for s, cs in sections.items() for c in cs for key in c.__dataclass_fields__
    }
    pattern = rf"\b(?:{'|'.join(sections)})\.[a-z_0-9]+(?==[a-z0-9{{])"
    named = {key for text in TEXTS for key in re.findall(pattern, text)}
    assert "data.unusable_videos" in named | keys
    assert named - keys == set()


@pytest.fixture
def shown(tmp_path, monkeypatch, capsys):
    """`shown(*flags)`: the exit code of `hvp show` on `videos`, and what it says of mistakes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HVP_CACHE_DIR", str(tmp_path / "cache"))

    def show(*arguments):
        overrides = ["data.seq_len=8", "data.validation_share=0", "data.unusable_videos=error"]
        overrides += ["data.height=16", "data.width=16", "evaluation.unusable_videos=error"]
        flags = [part for override in overrides for part in ("--set", override)]
        code = main(["show", "--config", "own", "--datadir", "videos", *flags, *arguments])
        return code, capsys.readouterr().err

    return show


def video(path, frames):
    path.parent.mkdir(exist_ok=True, parents=True)
    np.save(path, np.zeros((frames, 16, 16, 3), np.uint8))


def short(folder):
    video(folder / "train/a.npy", 12)
    video(folder / "train/b.npy", 5)
    return ["skip"]


def all_short(folder):
    video(folder / "train/a.npy", 6)
    video(folder / "train/b.npy", 5)
    return ["seq_len=6"]


def a_single_picture(folder):
    video(folder / "train/a.npy", 1)
    video(folder / "train/b.npy", 9)
    return ["skip"]


def cut_off(folder):
    (folder / "train").mkdir(parents=True)
    frames = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
    for name in ("a", "b"):
        write_mp4(folder / f"train/{name}.mkv", frames)
    content = (folder / "train/b.mkv").read_bytes()
    (folder / "train/b.mkv").write_bytes(content[: len(content) * 2 // 3])
    return ["skip", "salvage"]


def sixteen_bits(folder):
    (folder / "train").mkdir(parents=True)
    np.save(folder / "train/a.npy", np.zeros((9, 16, 16), np.uint16))
    return ["sixteen_bit=scale"]


@pytest.mark.parametrize("mistake", [short, all_short, a_single_picture, cut_off, sixteen_bits])
def test_pasted_remedies_work(mistake, shown, tmp_path):
    expected = mistake(tmp_path / "videos")
    video(tmp_path / "videos/test/c.npy", 90)
    code, message = shown()
    assert code == 2
    remedies = REMEDY.findall(message)
    assert len(remedies) == len(expected), message
    for remedy, part in zip(remedies, expected, strict=True):
        assert part in remedy
        assert shown(*remedy.split())[0] == 0, remedy


def test_those_of_evaluation(shown, tmp_path):
    video(tmp_path / "videos/train/a.npy", 12)
    for name, frames in (("a", 5), ("b", 7)):
        video(tmp_path / f"videos/test/{name}.npy", frames)
    wanted = ["--split", "test", "--set", "evaluation.seq_len=9", "--set", "evaluation.context=2"]
    code, message = shown(*wanted)
    assert code == 2
    (remedy,) = REMEDY.findall(message)
    assert remedy.split()[1::2] == ["evaluation.seq_len=7", "evaluation.unusable_videos=skip"]
    assert shown(*wanted, *remedy.split())[0] == 0
