"""Runs that are killed again and again: `HVP_CAMPAIGN_SEED=1 pytest -m campaign tests/training`.

HVP_CAMPAIGN_KILLS sets how often on one device, a fifth as often on two workers, and
HVP_CAMPAIGN_STEPS how many steps the two make.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import tiny_family
from test_peers import free_addresses
from test_replicas import values

from hvp.experiment.checkpoint_files import CheckpointFiles
from hvp.experiment.choosing import newest_step

SEED = int(os.environ.get("HVP_CAMPAIGN_SEED", "0"))
KILLS = int(os.environ.get("HVP_CAMPAIGN_KILLS", "100"))
STEPS = int(os.environ.get("HVP_CAMPAIGN_STEPS", "2000"))


def write_config(folder: Path) -> Path:
    path = folder / "tiny.yml"
    path.write_text(tiny_family.CONFIG)
    return path


def trained(config: Path, logdir: Path, *arguments: str) -> None:
    process = tiny_family.start(config, logdir, *arguments)
    _, errors = process.communicate(timeout=1800)
    assert process.returncode == 0, errors


def assert_equal_runs(actual: Path, expected: Path) -> None:
    a, b = values(actual), values(expected)
    assert a.keys() == b.keys()
    assert all((a[name] == b[name]).all() for name in b)


@pytest.mark.campaign
def test_no_run_on_one_device_is_lost(tmp_path):
    """Saved and validated after every step, so that many kills fall into a write."""
    config, logs = write_config(tmp_path), tmp_path / "logs"
    often = tmp_path / "often.yml"
    text = config.read_text().replace("steps: 6", "steps: 1000000")
    often.write_text(text.replace("_every: 3", "_every: 1"))
    script = Path(__file__).with_name("killed_runs.py")
    command = [sys.executable, script, often, logs, KILLS, SEED]
    done = subprocess.run(
        list(map(str, command)), cwd=tiny_family.ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    print(found)
    assert found["errors"] == []
    assert found["lost"] == 0
    assert found["steps"] > 0
    files = CheckpointFiles(logs / "tiny/model")
    assert [files.problem(step) for step in files.steps()] == [""] * len(files.steps())
    total = f"training.steps={found['steps'] + 5}"
    for folder in (logs, tmp_path / "whole"):
        trained(often, folder, "--set", total)
    assert_equal_runs(logs, tmp_path / "whole")


class Scheduler:
    """Starts both workers of a job again until both have come to the end, as SLURM would."""

    def __init__(self, config: Path, logdir: Path):
        self.config, self.logdir, self.outcomes = config, logdir, []
        self.memory: list[int] = []

    def start(self) -> list[subprocess.Popen]:
        workers = ",".join(free_addresses(2))
        given = [f"training.steps={STEPS}", "training.checkpoint_every=20", "training.log_every=50"]
        words = [word for override in given for word in ("--set", override)]
        return [
            tiny_family.start(
                self.config, self.logdir, "--workers", workers, "--worker", str(i), *words
            )
            for i in range(2)
        ]

    def run(self, kills: int, chance: random.Random) -> None:
        """Kills one of them `kills` times, each time after some steps, and lets them finish."""
        deadline = time.monotonic() + 3000
        codes = [1, 1]
        while codes != [0, 0]:
            assert time.monotonic() < deadline
            processes = self.start()
            if kills > 0:
                before = self.newest()
                # Half of what is left for each: they go on until the kill is noticed.
                wait = chance.randrange(20, max(21, (STEPS - before) // (2 * kills + 2)))
                while self.newest() < before + wait and processes[0].poll() is None:
                    time.sleep(0.02)
                chance.choice(processes).kill()
                kills -= 1
            self.memory = []
            codes = [self.ended(process) for process in processes]

    def newest(self) -> int:
        folder = self.logdir / "tiny"
        return newest_step(folder) if (folder / "model").is_dir() else 0

    def ended(self, process: subprocess.Popen) -> int:
        """Its exit code; its memory is measured in the second half of the steps."""
        while process.poll() is None:
            if self.newest() >= STEPS // 2:  # the start and compiling are done
                self.memory.append(psutil.Process(process.pid).memory_info().rss)
            time.sleep(0.5)
        _, errors = process.communicate(timeout=120)
        self.outcomes.append((process.returncode, errors))
        return process.returncode


@pytest.mark.campaign
def test_two_workers_that_are_killed_end_as_if_nothing_had_been(tmp_path):
    config = write_config(tmp_path)
    killed = Scheduler(config, tmp_path / "killed")
    kills = KILLS // 5
    killed.run(kills, random.Random(SEED))
    codes = [code for code, _ in killed.outcomes]
    print({code: codes.count(code) for code in set(codes)})
    assert set(codes) <= {0, 75, -9}, killed.outcomes
    assert codes.count(-9) == kills
    for code, errors in killed.outcomes:
        assert "Traceback" not in errors
        assert errors.count("\n") == (code == 75), errors
    whole = Scheduler(config, tmp_path / "whole")
    whole.run(0, random.Random(SEED))
    assert_equal_runs(tmp_path / "killed", tmp_path / "whole")
    growth = (whole.memory[-1] - whole.memory[0]) / 2**20
    print(f"memory grew by {growth:.1f} MiB in the second half of {STEPS} steps")
    assert (
        growth < 12
    )  # of the heap's pieces, by checkpoints; test_memory.py sees what is left behind
