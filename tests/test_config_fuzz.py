"""Configurations that nobody means: each is refused in one line, or loads and is saved equal.

`pytest -m campaign` tries a thousand of them; HVP_CAMPAIGN_SEED chooses others.
"""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest
import yaml

from hvp.config import ExperimentConfig, load_config
from hvp.errors import UserError, one_line

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
# As YAML has them: `yaml.dump` would not write all of them.
VALUES = [
    *("null", "~", "true", "no", "0", "1", "-1", "2", "3", "64", "255", "1000", "16385"),
    *("1000000000000", "-9223372036854775809", "1" + "0" * 30, "9" * 5000, "0x" + "f" * 5000),
    *("0o17", "1_000", "12:30:45", "0b1", ".5", "1e-4", "1.0e+400", ".inf", "-.inf", ".nan"),
    *("nan", "inf", "Infinity", "1e999", "''", "text", "'1'", "é😀", r'"a\0b"', r'"\ud800"'),
    *("..", "../..", "/", ".", "a/b", "C:\\x", "x" * 300, "x" * 5000, "[]", "{}", "[1]", "[a, b]"),
    *("[[1]]", "[.nan]", "[-1, 0]", "[1, 2, 3, 4]", "[3, 3, 3, 3]", "{a: 1}", "{1: 2}", "{8: 8}"),
    *(
        "{mse: .inf}",
        "{mse: 1}",
        "{null: null}",
        "? [a]\n : b",
        "2024-01-01",
        "2024-13-45",
        "!!int ''",
    ),
    *(
        "!!set {a, b}",
        "!!binary aGk=",
        "!!binary é",
        "!!float x",
        "!!python/none x",
        "!!omap [a: 1]",
    ),
    *("[" * 2000, "{a: " * 2000, "&x [*x]", "*x", "'", '"', "|\n   a", "<<: 1", "!!timestamp x"),
    *("hierarchical", "sdfnet", "dfdnet", "fusion", "motion_gan", "onecycle", "center", "TTF"),
]
KEYS = ["1", "null", "true", "x", "''", "é", "? [a]\n", "[a]", "base", "<<", "!!int ''", "9" * 5000]


def keys_of(text):
    content = yaml.safe_load(text)
    return [
        (section, key)
        for section, keys in content.items()
        if isinstance(keys, dict)
        for key in keys
    ]


FILES = {  # which start from packaged ones wherever they lie
    path.stem: re.sub(r"^(base: .*)\.yml$", r"\1", path.read_text(), flags=re.M)
    for path in sorted(CONFIGS.glob("*.yml"))
}
SETTINGS = sorted({pair for text in FILES.values() for pair in keys_of(text)})


def changed_settings(choose):
    """A file of a few keys that exist, with values that few of them take."""
    lines = (
        [f"base: {choose.choice([*FILES, *choose.sample(VALUES, 9)])}"]
        if choose.random() < 0.5
        else []
    )
    for top in ("name", "seed"):
        if choose.random() < 0.2:
            lines.append(f"{top}: {choose.choice(VALUES)}")
    sections = {}
    for section, key in choose.sample(SETTINGS, choose.choice([1, 1, 1, 2, 3])):
        key = choose.choice(KEYS) if choose.random() < 0.1 else key
        sections.setdefault(section, []).append(f"  {key}: {choose.choice(VALUES)}")
    for section, held in sections.items():
        if choose.random() < 0.1:
            lines.append(f"{choose.choice(KEYS)}: {choose.choice(VALUES)}")
        if choose.random() < 0.1:
            lines.append(f"{section}: {choose.choice(VALUES)}")
        else:
            lines += [f"{section}:", *held]
    return "\n".join(lines) + "\n"


def damaged_file(choose):
    """A file of ours with bytes cut out, changed or repeated."""
    content = bytearray(choose.choice([*FILES.values()]).encode())
    for _ in range(choose.randint(1, 3)):
        at, length = choose.randrange(len(content) or 1), choose.randint(0, 20)
        part = choose.choice(
            [
                b"",
                bytes([choose.randrange(256)]),
                bytes(content[at : at + length]) * 2,
                b"\t",
                b"\n",
            ]
        )
        content[at : at + choose.choice([0, 1, length])] = part
    return bytes(content)


def overrides(choose):
    if choose.random() < 0.7:
        return []
    section, key = choose.choice(SETTINGS)
    return [f"{choose.choice([f'{section}.{key}', section, key])}={choose.choice(VALUES)}"]


def try_one(folder, choose):
    """True if it loads. Fails on anything but one line that says why it does not."""
    path = folder / "mine.yml"
    made = choose.choice([changed_settings, changed_settings, damaged_file])(choose)
    path.write_bytes(made if isinstance(made, bytes) else made.encode())
    changes = overrides(choose)
    try:
        config = load_config(path, changes)
    except UserError as error:
        message = str(error)
        assert 0 < len(message) < 20_000, (made, changes)
        assert "\n" not in one_line(message)
        return False
    assert isinstance(config, ExperimentConfig)
    config.save(folder / "saved.yml")
    assert load_config(folder / "saved.yml") == config, (made, changes)
    return True


def try_many(folder, count, seed):
    loaded = sum(try_one(folder, random.Random(f"{seed}/{number}")) for number in range(count))
    assert 0 < loaded < count  # both happen, or the generator is no good
    assert {path.name for path in folder.iterdir()} == {"mine.yml", "saved.yml"}


def test_a_few_configurations_that_nobody_means(tmp_path):
    try_many(tmp_path, 60, seed=0)


@pytest.mark.campaign
def test_many_configurations_that_nobody_means(tmp_path):
    try_many(tmp_path, 1000, os.environ.get("HVP_CAMPAIGN_SEED", "0"))
