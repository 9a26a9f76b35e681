"""`--strategy`: evaluation, FVD and generation give the same numbers on two devices as on one."""

from __future__ import annotations

import json
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pytest

import hvp
from hvp.experiment.checkpoints import save_experiment

# hvp's commands, one after the other, on two logical devices of one CPU.
TWO_CPUS = """
import json, sys
from hvp.quiet import import_tensorflow
import_tensorflow()
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from hvp.__main__ import main
from hvp.models.replicas import Replicas
run, used = Replicas.run, []
Replicas.run = lambda self, *a, **k: used.append(self.count) or run(self, *a, **k)
if part := int(sys.argv[2]):
    from hvp.evaluation import open_loop
    open_loop.frames_at_once = lambda *sizes: part
for command in json.loads(sys.argv[1]):
    used.clear()
    code = main(command)
    print("replicas", max(used, default=0))
    if code:
        sys.exit(code)
"""
PREDICTOR = [
    "data.height=32", "data.width=32", "data.seq_len=6", "data.test_videos=5",
    "evaluation.context=4", "evaluation.seq_len=7", "evaluation.num_examples=5",
    "evaluation.batch_size=3", "evaluation.num_samples=2", "evaluation.metrics=[mse,ssim]",
]  # fmt: skip
GENERATOR = [
    "model.width_factor=0.03", "model.content_dim=4", "model.motion_dim=4", "data.train_videos=4",
]  # fmt: skip


def on_one_and_two(*command, part=0):
    """Runs a command on one device and on two, and says how many replicas worked.

    Args:
        part: frames that are predicted at a time; 0 as hvp chooses.
    """
    both = [
        [*(word.replace("STRATEGY", name) for word in command), "--strategy", name]
        for name in ("cpu", "mirrored")
    ]
    done = subprocess.run(
        [sys.executable, "-c", TWO_CPUS, json.dumps(both), str(part)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    replicas = [line for line in done.stdout.splitlines() if line.startswith("replicas")]
    assert replicas == ["replicas 0", "replicas 2"]


def made(name, overrides, folder):
    config = hvp.load_config(name, [*overrides, "name=run"])
    model = hvp.build_model(config)
    model.configure_training(config.training)
    return save_experiment(config, model, folder)


def numbers(value):
    """Every number of nested JSON, in order."""
    if isinstance(value, dict):
        return [n for key in sorted(value) for n in numbers(value[key])]
    if isinstance(value, list):
        return [n for item in value for n in numbers(item)]
    return [value] if isinstance(value, float) else []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "part"), [("demo", 0), ("demo", 4), ("svg_lp_demo", 2)])
def test_evaluation(tmp_path, name, part):
    run = made(name, PREDICTOR, tmp_path)
    longer = ("--eval-seq-len", "14") if part else ()
    on_one_and_two("evaluate", "--logdir", str(run), "--no-save-grid", *longer, part=part)
    one, two = (
        json.loads((folder / "metrics.json").read_text()) for folder in sorted(run.glob("eval_*"))
    )
    assert len(numbers(one["summary"])) > 10
    for part in ("summary", "scorecard"):
        np.testing.assert_allclose(numbers(one[part]), numbers(two[part]), rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_generation_and_distance(tmp_path):
    run = made("motion_gan_demo", GENERATOR, tmp_path)
    command = ["generate", "--logdir", str(run), "--num-videos", "3", "--frames", "4"]
    on_one_and_two(*command, "--format", "png", "--out", str(tmp_path / "STRATEGY"))
    for file in sorted((tmp_path / "cpu").rglob("*.png")):
        other = tmp_path / "mirrored" / file.relative_to(tmp_path / "cpu")
        one, two = (iio.imread(path).astype(int) for path in (file, other))
        assert abs(one - two).max() <= 1
    assert len(list((tmp_path / "mirrored").rglob("*.png"))) == 3 * 4
    command = ["fvd", "--logdir", str(run), "--features", "small", "--protocol", "fvd4_8f"]
    on_one_and_two(*command, "--out", str(tmp_path / "STRATEGY.json"))
    one, two = (
        json.loads((tmp_path / f"{name}.json").read_text())["value"] for name in ("cpu", "mirrored")
    )
    assert one == pytest.approx(two, rel=1e-3)
