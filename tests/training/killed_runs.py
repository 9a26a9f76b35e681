"""`python tests/training/killed_runs.py CONFIG LOGDIR KILLS SEED`: trains, killed again and again.

TensorFlow is imported once; every session is a fork. It is killed at a random moment: while it
starts, compiles, steps, validates or writes. Prints a line of JSON: what was lost, if anything was.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import tiny_family


def session(config: str, logdir: str, log: Path) -> int:
    """The process id of one that trains."""
    child = os.fork()
    if child:
        return child
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 70
    try:
        from hvp.__main__ import script

        code = script("train", ["--config", config, "--logdir", logdir])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def seconds_to_first_checkpoint(config: str, logdir: str, log: Path, files: Any) -> float:
    """On this machine as it is now; the session is killed then."""
    started, child = time.monotonic(), session(config, logdir, log)
    while not files.steps() and time.monotonic() < started + 300:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return time.monotonic() - started


def campaign(config: str, logdir: str, kills: int, seed: int) -> dict:
    from hvp.experiment.checkpoint_files import CheckpointFiles

    chance = random.Random(seed)
    files, log = CheckpointFiles(Path(logdir) / "tiny/model"), Path(logdir).parent / "session.log"
    longest = 2 * seconds_to_first_checkpoint(config, logdir, log, files)
    found = {"kills": 0, "terminated": 0, "lost": 0, "errors": [], "steps": 0}
    while found["kills"] + found["terminated"] < kills:
        number = signal.SIGKILL if chance.random() < 0.8 else signal.SIGTERM
        child = session(config, logdir, log)
        time.sleep(chance.uniform(0, longest))
        os.kill(child, number)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        found["kills" if number == signal.SIGKILL else "terminated"] += 1
        if code not in (-signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM):
            found["errors"].append(f"{code}: {log.read_text()[-500:]}")
        steps = files.steps()
        newest = steps[-1] if steps else 0
        found["lost"] += newest < found["steps"]
        found["steps"] = newest
    return found


def main(config: str, logdir: str, kills: str, seed: str) -> None:
    tiny_family.register()
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import hvp.training.trainer  # noqa: F401

    print(json.dumps(campaign(config, logdir, int(kills), int(seed))))


if __name__ == "__main__":
    main(*sys.argv[1:])
