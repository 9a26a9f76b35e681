"""A model family that compiles in a second, and what tests of processes share.

`python tests/training/tiny_family.py CPUS ARGUMENT...` runs `train.py ARGUMENT...` where the family
is known, on that many logical CPUs.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CONFIG = """\
name: tiny
data: {height: 16, width: 16, seq_len: 4, num_digits: 1, train_videos: 16, test_videos: 4}
model: {family: tiny}
training:
  batch_size: 4
  steps: 6
  learning_rate: 1.0e-2
  adam_epsilon: 1.0e-2
  log_every: 2
  gifs_every: 0
  validate_every: 3
  validation_batches: 1
  checkpoint_every: 3
evaluation: {context: 2, seq_len: 4}
"""


@dataclasses.dataclass(frozen=True)
class TinyConfig:
    """`norm`: whether the hidden features are batch normalised."""

    family: str = "tiny"
    norm: bool = False


def register() -> None:
    """Makes `model.family: tiny` known."""
    from hvp.families import register_family

    register_family("tiny", config="tiny_family:TinyConfig", model="tiny_model:TinyModel")


def start(
    config: Path, logdir: Path, *arguments: str, cpus: int = 1, **options
) -> subprocess.Popen:
    """`train.py` on the tiny family in a process of its own; `options` go to `Popen`."""
    command = [sys.executable, __file__, str(cpus), "--config", config, "--logdir", logdir]
    options.setdefault("preexec_fn", _hear_interrupts)
    environment = {**os.environ, **options.pop("environment", {})}
    return subprocess.Popen(
        [*map(str, command), *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def _hear_interrupts() -> None:
    """Tests that run in the background ignore SIGINT, and so would their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main(arguments: list[str]) -> int:
    register()
    if int(arguments[0]) > 1:
        from hvp.quiet import import_tensorflow

        import_tensorflow()
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration()] * int(arguments[0])
        tf.config.set_logical_device_configuration(cpu, parts)
    from hvp.__main__ import script

    return script("train", arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
