"""Two workers of one job on this machine: equal to one, killed, stopped, started again."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest
import tiny_family
from test_peers import free_addresses
from test_replicas import largest_difference

from hvp.experiment.choosing import newest_step

STOPPED = "is gone; start all workers again, the run goes on from step"


@pytest.fixture
def job(tmp_path):
    """Starts both workers of a job; what still runs in the end is killed."""
    config = tmp_path / "tiny.yml"
    config.write_text(tiny_family.CONFIG)
    processes = []

    def start(folder, *overrides, only=(0, 1), **options):
        workers = ",".join(free_addresses(2))
        arguments = [word for override in overrides for word in ("--set", override)]
        for index in only:
            given = ["--workers", workers, "--worker", str(index), *arguments]
            log = tmp_path / folder
            processes.append(tiny_family.start(config, log, *given, **options.get(str(index), {})))
        return processes[-len(only) :]

    yield start
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def outcome(process, timeout=90):
    """Exit code and lines on stderr."""
    _, errors = process.communicate(timeout=timeout)
    return process.returncode, errors


def wait_for_step(folder: Path, step: int, timeout: float = 120) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if (folder / "tiny/model").is_dir() and newest_step(folder / "tiny") > step:
            return
        time.sleep(0.05)
    pytest.fail(f"no checkpoint after step {step}")


ENDLESS = ("training.steps=1000000", "training.checkpoint_every=2", "training.validate_every=0")


def test_a_dead_worker_ends_the_other_one(job, tmp_path):
    first, second = job("run", *ENDLESS)
    wait_for_step(tmp_path / "run", 1)
    second.kill()
    code, errors = outcome(first, timeout=60)
    assert code == 75, errors
    assert errors.startswith("worker 1 (127.0.0.1:")
    step = newest_step(tmp_path / "run/tiny")
    assert errors.endswith(f") {STOPPED} {step}\n")
    assert errors.count("\n") == 1


@pytest.mark.slow
def test_workers_that_were_suspended_are_to_be_started_again(job, tmp_path):
    """As a scheduler suspends a job, or a laptop sleeps: TensorFlow gives up after 10 s."""
    processes = job("run", *ENDLESS)
    wait_for_step(tmp_path / "run", 1)
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    time.sleep(25)
    for process in processes:
        process.send_signal(signal.SIGCONT)
    for process in processes:
        code, errors = outcome(process)
        assert code == 75, errors
        assert "Traceback" not in errors
        step = newest_step(tmp_path / "run/tiny")
        assert errors.endswith(f"start all workers again, the run goes on from step {step}\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["model.norm=true", "training.sync_batch_norm=true"],
        ["training.steps_per_call=3"],
    ],
    ids=["plain", "sync_batch_norm", "steps_per_call"],
)
def test_two_workers_equal_one_and_are_resumed_bit_for_bit(job, tmp_path, settings):
    for folder, steps in (("whole", 6), ("parts", 3), ("parts", 6)):
        for process in job(folder, f"training.steps={steps}", *settings):
            assert outcome(process)[0] == 0
    words = [word for setting in settings for word in ("--set", setting)]
    one = tiny_family.start(tmp_path / "tiny.yml", tmp_path / "one", *words)
    assert outcome(one)[0] == 0
    assert largest_difference(tmp_path / "parts", tmp_path / "whole") == 0
    # Sums are added in another order; batch normalisation divides their rounding by a deviation.
    tolerance = 1e-5 if "training.sync_batch_norm=true" in settings else 1e-6
    assert largest_difference(tmp_path / "whole", tmp_path / "one") < tolerance


@pytest.mark.slow
@pytest.mark.parametrize(("index", "number"), [(0, signal.SIGTERM), (1, signal.SIGINT)])
def test_a_signal_to_one_worker_stops_both_at_one_step(job, tmp_path, index, number):
    processes = job("run", *ENDLESS)
    wait_for_step(tmp_path / "run", 1)
    processes[index].send_signal(number)
    outcomes = [outcome(process) for process in processes]
    step = newest_step(tmp_path / "run/tiny")
    line = f"stopped by {signal.Signals(number).name} at step {step}, which is saved; run the "
    assert outcomes == [(128 + number, f"{line}same command again to go on\n")] * 2


@pytest.mark.slow
def test_a_chief_without_disk_space_stops_the_other(job, tmp_path):
    """A limit to the size of files stands for a full disk."""
    import resource

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

    first, second = job("run", *ENDLESS, "training.log_every=1", **{"0": {"preexec_fn": limited}})
    code, errors = outcome(first)
    assert code == 2, errors
    assert errors.startswith("error: cannot write to ")
    assert errors.count("\n") == 1
    code, errors = outcome(second, timeout=60)
    assert code == 75, errors
    assert "stopped (cannot write to " in errors
    assert errors.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [None, signal.SIGINT, signal.SIGTERM])
def test_a_worker_that_never_comes(job, number):
    timeout = 2 if number is None else 300
    (first,) = job("run", f"training.worker_timeout={timeout}", only=(0,))
    waits = first.stdout.readline()
    assert "worker 0 (127.0.0.1:" in waits
    assert f"waits for worker 1 (127.0.0.1:{waits.rsplit(':', 2)[1][:-1]}" in waits
    if number is not None:
        first.send_signal(number)
    code, errors = outcome(first, timeout=30)
    if number is None:
        assert code == 2
        assert "Connection refused" in errors
        assert "training.worker_timeout" in errors
    else:
        assert code in (128 + number, -number)
    assert errors.count("\n") <= 1


@pytest.mark.slow
def test_workers_that_see_different_folders_are_told(tmp_path):
    """As where every machine has a disk of its own."""
    config = tmp_path / "tiny.yml"
    config.write_text(tiny_family.CONFIG)
    one = tiny_family.start(config, tmp_path / "first", "--set", "training.steps=3")
    assert outcome(one)[0] == 0
    workers = ",".join(free_addresses(2))
    processes = [
        tiny_family.start(config, tmp_path / name, "--workers", workers, "--worker", str(i))
        for i, name in enumerate(("first", "second"))
    ]
    outcomes = [outcome(process) for process in processes]
    assert {code for code, _ in outcomes} <= {2, 75}
    assert any("must be one folder that all workers see" in errors for _, errors in outcomes)
    assert os.listdir(tmp_path / "second/tiny/model") == []
