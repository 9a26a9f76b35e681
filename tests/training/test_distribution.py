"""Strategies: what they refuse, and that replicas and workers together equal one."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import yaml
from small_models import SMALL_HIERARCHICAL

from hvp import build_model
from hvp.errors import UserError
from hvp.experiment.checkpoints import load_experiment
from hvp.training.distribution import check_batch_size, make_strategy

SCRIPT = """
import sys
from hvp.quiet import import_tensorflow
import_tensorflow()
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
count = int(sys.argv[4])
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
from hvp.config import load_config
from hvp.training.trainer import train
config = load_config(sys.argv[1], [f"training.strategy={sys.argv[3]}"])
train(config, sys.argv[2])
"""

PREDICTOR = """\
data: {height: 16, width: 16, seq_len: 8, train_videos: 8, test_videos: 4}
model:
  family: sdfnet
  frames: 4
  hidden: 8
  blocks: [1, 1, 1, 1]
  involution_kernels: [1, 3, 3, 3]
training: {batch_size: 4, steps: 2, log_every: 1, gifs_every: 0, validate_every: 0}
evaluation: {context: 4, seq_len: 8}
"""


def run(config, logdir, strategy, logical_cpus, environment=None):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(config), str(logdir), strategy, str(logical_cpus)],
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(*processes):
    for process in processes:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output


def assert_same_weights(first, second):
    """Sums over replicas are added in another order: equal to float32 rounding through 6 steps."""
    a, b = (tf.train.load_checkpoint(str(folder / "model")) for folder in (first, second))
    names = [name for name in a.get_variable_to_shape_map() if "_OBJECT_GRAPH" not in name]
    for name in names:
        expected = a.get_tensor(name)
        np.testing.assert_allclose(b.get_tensor(name), expected, rtol=1e-3, atol=2e-5, err_msg=name)
    assert_trained(first)


def assert_trained(folder):
    """Training changed the variables: two runs that did nothing would be equal too."""
    config, model, _ = load_experiment(folder)
    pairs = zip(model.trainable_variables, build_model(config).trainable_variables, strict=True)
    changed = [bool(np.any(np.asarray(ours) != np.asarray(fresh))) for ours, fresh in pairs]
    assert len(changed) > 20
    assert np.mean(changed) > 0.9


@pytest.mark.slow
def test_two_replicas_equal_one(small_config, tmp_path):
    config = yaml.safe_load(small_config.read_text())
    config["data"] |= {"height": 32, "width": 32, "seq_len": 8}
    config["model"] = SMALL_HIERARCHICAL
    config["evaluation"] |= {"context": 4, "seq_len": 8}
    small_config.write_text(yaml.safe_dump(config))
    finished(
        run(small_config, tmp_path / "one", "cpu", 1),
        run(small_config, tmp_path / "two", "mirrored", 2),
    )
    assert_same_weights(tmp_path / "one/small", tmp_path / "two/small")


@pytest.mark.slow
def test_losses_of_the_predictors_do_not_shrink_with_replicas(tmp_path):
    """Keras' own loss objects divide by the number of replicas, on top of the mean over them."""
    config = tmp_path / "tiny.yml"
    config.write_text(PREDICTOR)
    finished(run(config, tmp_path / "two", "mirrored", 2), run(config, tmp_path / "one", "cpu", 1))
    losses = []
    for name in ("one", "two"):
        (path,) = (tmp_path / name / "tiny/train").glob("events.out.tfevents.*")
        losses.append(
            [
                float(tf.make_ndarray(value.tensor))
                for event in tf.compat.v1.train.summary_iterator(str(path))
                for value in event.summary.value
                if value.tag == "loss"
            ]
        )
    # Batch statistics are those of each replica, so not equal.
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.1)


def test_a_strategy_without_its_devices():
    if not tf.config.list_physical_devices("GPU"):
        with pytest.raises(UserError, match="TensorFlow sees no GPU"):
            make_strategy("gpu")


def test_batch_size_must_divide():
    strategy = tf.distribute.OneDeviceStrategy("/CPU:0")
    check_batch_size(3, strategy, "training.batch_size")
    with pytest.raises(UserError, match=r"training.batch_size is 0"):
        check_batch_size(0, strategy, "training.batch_size")
