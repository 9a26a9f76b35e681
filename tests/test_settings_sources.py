"""Numbers of the shipped configurations: where each is from, and those that were published."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hvp.config import load_config

ROOT = Path(__file__).parents[1]
SHIPPED = sorted((ROOT / "configs").rglob("*.yml"))
SETTINGS = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
OURS = "# All numbers are ours."
OF_OURS = ("own", "moving_shapes_generation")
NUMBER = re.compile(r"(?<![\w./-])-?\d+(\.\d+)?(e[+-]?\d+)?(?![\w/])")


def numbers_without_source(text):
    """Lines `key: value  # comment` with a number in the value and no source in the comment."""
    bare = []
    for line in text.splitlines():
        setting = re.fullmatch(r"\s+(\w+): (?P<value>[^#]*)(?P<comment>#.*)?", line)
        if not setting or not NUMBER.search(setting["value"]):
            continue
        if not re.search(r"\b(paper|code|ours)\b", setting["comment"] or ""):
            bare.append(line.strip())
    return bare


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_number_says_where_it_is_from(path):
    text = path.read_text(encoding="utf-8")
    if path.name == "base.yml":  # the defaults, listed in docs/settings.md as far as published
        return
    if OURS in text:
        assert path.stem.endswith(("demo", "small")) or path.stem in OF_OURS
        return
    assert numbers_without_source(text) == []


def test_a_number_without_source_is_found():
    text = "data:\n  height: 64\n  width: 64  # code\n  datadir: data/v2\n  milestones: [0.3, 0.8]"
    assert numbers_without_source(text) == ["height: 64", "milestones: [0.3, 0.8]"]


PUBLISHED = {
    "mmnist": {"training.epochs": 60, "training.batch_size": 50, "evaluation.seq_len": 500},
    "kth": {"training.epochs": 300, "training.learning_rate": 1e-4, "evaluation.seq_len": 200},
    "mazes": {"training.epochs": 50, "model.dec_stddev": 0.1, "evaluation.seq_len": 300},
    "cwvae_mmnist": {"training.epochs": 300, "training.learning_rate": 3e-4},
    "cwvae_mazes": {"training.epochs": 100, "training.learning_rate": 3e-4},
    "cwvae_minerl": {"training.epochs": 600, "model.dec_stddev": 0.4, "evaluation.seq_len": 500},
    "sdfnet_mmnist": {
        "training.epochs": 2001, "training.learning_rate": 0.01, "training.adam_epsilon": 1e-8,
        "training.cycle_momentum": True, "model.hidden": 64,
    },
    "sdfnet_kth_openstl": {
        "data.division": "openstl", "training.learning_rate": 1e-3, "evaluation.seq_len": 30,
    },
    "dfdnet_human_openstl": {
        "data.frame_step": 5, "training.learning_rate": 5e-3, "evaluation.seq_len": 8,
    },
    "dfdnet_mmnist": {
        "training.epochs": 2001, "training.batch_size": 16, "training.cycle_momentum": True,
        "model.filter": "fixed",
    },
    "motion_gan_ucf101": {
        "training.steps": 300000, "training.learning_rate": 2e-3, "model.r1_every": 16,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_numbers_stand_in_the_configuration_and_in_the_table(name):
    config = load_config(ROOT / f"configs/{name}.yml")
    for key, expected in PUBLISHED[name].items():
        section, field = key.split(".")
        assert getattr(getattr(config, section), field) == expected, key
        assert f"`{key}`" in SETTINGS, key
    assert f"`{name}.yml`" in SETTINGS
