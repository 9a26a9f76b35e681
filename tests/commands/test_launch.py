"""`hvp launch slurm`: the batch file. SLURM itself is not here: stand-ins play its part."""

from __future__ import annotations

import os
import subprocess

import pytest

from hvp.__main__ import main

LAUNCH = ["launch", "slurm", "--nodes", "4", "--gpus", "8"]
SQUEUE = "#!/bin/sh\necho $STATE\n"
SRUN = '#!/bin/sh\necho "$@" > srun.txt\nexit $CODE\n'
SCONTROL = '#!/bin/sh\necho "$@" > scontrol.txt\n'


def test_the_batch_file(capsys):
    more = ["--time", "12:00:00", "--sbatch=--partition=gpu", "--", "train", "--config", "kth"]
    assert main([*LAUNCH, *more]) == 0
    lines = capsys.readouterr().out.splitlines()
    for option in (
        "--job-name=kth",
        "--nodes=4",
        "--ntasks-per-node=1",
        "--gpus-per-node=8",
        "--time=12:00:00",
        "--partition=gpu",
        "--signal=TERM@120",
        "--requeue",
    ):
        assert f"#SBATCH {option}" in lines
    assert lines[0] == "#!/bin/bash"
    assert any(line.endswith("-m hvp train --config kth --strategy multiworker") for line in lines)


@pytest.mark.parametrize(
    ("code", "state", "requeued"),
    [
        (143, "RUNNING", True),
        (75, "RUNNING", True),
        (143, "COMPLETING", False),
        (0, "RUNNING", False),
        (2, "RUNNING", False),
        (137, "RUNNING", False),
    ],
)
def test_it_queues_itself_again_when_it_was_stopped(capsys, tmp_path, code, state, requeued):
    assert main([*LAUNCH, "--", "train", "--config", "kth", "--logdir", "my logs"]) == 0
    for name, content in (("squeue", SQUEUE), ("srun", SRUN), ("scontrol", SCONTROL)):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    script = capsys.readouterr().out
    done = subprocess.run(
        ["bash"],
        input=script,
        cwd=tmp_path,
        env={**environment, "CODE": str(code), "STATE": state},
        text=True,
    )
    assert done.returncode == code
    assert "--logdir my logs --strategy multiworker" in (tmp_path / "srun.txt").read_text()
    asked = tmp_path / "scontrol.txt"
    assert (asked.read_text() if asked.exists() else "") == ("requeue 7\n" if requeued else "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--"], "required: -- train ..."),
        (["--", "evaluate", "--logdir", "x"], "after -- comes the training command"),
        (["--", "train", "--config", "nothere"], "nothere"),
        (["--", "train", "--config", "kth", "--stategy", "gpu"], "did you mean '--strategy'"),
        (["--", "train", "--config", "kth", "--strategy", "gpu"], "is for one machine"),
        (["--", "train", "--config", "kth", "--worker", "0"], "leave them out"),
        (["--submit", "--", "train", "--config", "kth"], "there is no sbatch here"),
        (['--sbatch=--comment="x"', "--", "train", "--config", "kth"], "cannot stand in"),
    ],
)
def test_mistakes_show_before_anything_is_queued(capsys, monkeypatch, arguments, message):
    monkeypatch.setenv("PATH", "/nowhere")
    assert main([*LAUNCH, *arguments]) == 2
    assert message in capsys.readouterr().err
