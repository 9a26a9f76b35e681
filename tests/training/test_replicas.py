"""Runs on several replicas: resumed, and on another number of them, bit for bit where it can be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tiny_family

# One process makes all runs: (folder, replicas, steps, overrides), in order.
SESSIONS = [
    ("whole", 2, 6, []),
    ("parts", 2, 3, []),
    ("parts", 2, 6, []),
    ("one", 1, 6, []),
]
MORE_SESSIONS = [
    ("changing", 1, 2, []),
    ("changing", 2, 4, []),
    ("changing", 1, 6, []),
    ("norm_one", 1, 6, ["model.norm=true"]),
    ("norm_two", 2, 6, ["model.norm=true"]),
    ("norm_sync", 2, 3, ["model.norm=true", "training.sync_batch_norm=true"]),
    ("norm_sync", 2, 6, ["model.norm=true", "training.sync_batch_norm=true"]),
]

SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import tiny_family
tiny_family.register()
from hvp.quiet import import_tensorflow
import_tensorflow()
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from hvp.config import load_config
from hvp.training.trainer import train
for folder, replicas, steps, overrides in json.loads(sys.argv[4]):
    strategy = "mirrored" if replicas == 2 else "cpu"
    settings = [f"training.steps={steps}", f"training.strategy={strategy}", *overrides]
    train(load_config(sys.argv[2], settings), f"{sys.argv[3]}/{folder}")
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """The folder of all `SESSIONS`."""
    return made(tmp_path_factory.mktemp("replicas"), SESSIONS)


@pytest.fixture(scope="module")
def more_runs(runs) -> Path:
    """The same folder, with those of `MORE_SESSIONS`."""
    return made(runs, MORE_SESSIONS)


def made(folder: Path, sessions: list) -> Path:
    config = folder / "tiny.yml"
    config.write_text(tiny_family.CONFIG)
    tests = Path(__file__).parent
    arguments = [tests, config, folder, json.dumps(sessions)]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


def values(folder: Path) -> dict[str, np.ndarray]:
    """Every number of the latest checkpoint by name."""
    reader = tf.train.load_checkpoint(str(folder / "tiny/model"))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if "OBJECT_GRAPH" not in name and "save_counter" not in name
    }


def largest_difference(first: Path, second: Path) -> float:
    """Of any number in the two runs' latest checkpoints."""
    a, b = values(first), values(second)
    assert a.keys() == b.keys()
    assert a["step/.ATTRIBUTES/VARIABLE_VALUE"] == b["step/.ATTRIBUTES/VARIABLE_VALUE"] == 6
    return max(float(np.abs(a[name] - b[name]).max()) for name in a)


def test_a_run_of_two_replicas_is_resumed_bit_for_bit(runs):
    assert largest_difference(runs / "parts", runs / "whole") == 0


def test_two_replicas_equal_one(runs):
    """Sums over replicas are added in another order, so equal to rounding."""
    assert largest_difference(runs / "whole", runs / "one") < 1e-6


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_replicas(more_runs):
    assert largest_difference(more_runs / "changing", more_runs / "one") < 1e-6


@pytest.mark.slow
def test_synchronised_batch_normalisation_makes_replicas_equal_one(more_runs):
    """Without, each replica normalises by the statistics of its own part of the batch."""
    assert largest_difference(more_runs / "norm_sync", more_runs / "norm_one") < 1e-5
    assert largest_difference(more_runs / "norm_two", more_runs / "norm_one") > 1e-3
