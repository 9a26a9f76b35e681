"""Records what the short trainings reach, into `curves/FAMILY.json`.

    nice -n 15 python tests/learn/record.py [FAMILY ...]

A change after which a family ends outside its margin (`margin_of`) fails `pytest -m learn`; after
one that is meant to make it learn otherwise, record it again and say so in the change.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from hvp.quiet import import_tensorflow  # noqa: E402

import_tensorflow()

import tensorflow as tf  # noqa: E402
from short_trainings import CURVES, SEEDS, TRAININGS, margin_of, short_training  # noqa: E402


def record(family: str) -> None:
    """Trains a family from every seed and writes its curves."""
    short, curves = TRAININGS[family], {}
    began = time.process_time()
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            curves[seed] = short_training(family, seed, Path(folder))
        print(family, seed, curves[seed], flush=True)
    seconds = time.process_time() - began
    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True)
    content = {
        "config": short.config,
        "overrides": short.overrides,
        "measure": short.measure,
        "steps": short.steps,
        "curves": curves,
        "margin": margin_of([curve[short.steps] for curve in curves.values()]),
        "cpu_seconds_a_seed": round(seconds / len(SEEDS)),
        "commit": commit.strip(),
        "machine": f"{platform.machine()}, {_processor()}, TensorFlow {tf.__version__}",
    }
    CURVES.mkdir(exist_ok=True)
    text = json.dumps(content, indent=1)
    (CURVES / f"{family}.json").write_text(text + "\n", encoding="utf-8")


def _processor() -> str:
    """The processor's name, where Linux tells."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    for name in sys.argv[1:] or TRAININGS:
        record(name)
