"""Predictions and generated videos on two devices are those of one."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from hvp.quiet import import_tensorflow
import_tensorflow()
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
import hvp
from hvp.training.distribution import make_strategy

SIZES = ["data.height=32", "data.width=32"]
CONFIGS = {
    "hierarchical": ("demo", []),
    "convlstm": ("convlstm_demo", ["model.hidden=[4]"]),
    "simvp": ("simvp_demo", []),
    "motion_gan": ("motion_gan_demo", ["model.width_factor=0.03", "model.content_dim=4"]),
}
name, overrides = CONFIGS[sys.argv[1]]
config = hvp.load_config(name, [*SIZES, *overrides])

def made(strategy):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = hvp.build_model(config)
    model.share_out(strategy)
    if sys.argv[1] == "motion_gan":
        return [model.generate(count, 4, seed=3) for count in (1, 2, 3)]
    videos = tf.random.stateless_uniform((3, 12, *model.frame_shape), (0, 0))
    found = [model.rollout(videos[:count, :10], 3, 2, seed=1) for count in (1, 2, 3)]
    seeds = tf.constant([[0, 1], [2, 3], [4, 5]])
    again = model.shared(model.reconstruct, (videos, seeds), key="reconstruct")
    return [*found, *([] if again is None else [again.frames, *again.kl])]

one = made(make_strategy("cpu"))
two = made(make_strategy("mirrored"))
assert make_strategy("mirrored").num_replicas_in_sync == 2
assert len(one) == len(two) >= 3
for a, b in zip(one, two):
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, atol=1e-5)
print("same", len(one))
"""


@pytest.mark.parametrize(
    ("family", "results"),
    [
        pytest.param("hierarchical", 6, marks=pytest.mark.slow),
        pytest.param("convlstm", 3, marks=pytest.mark.slow),
        pytest.param("simvp", 3, marks=pytest.mark.slow),
        pytest.param("motion_gan", 3, marks=pytest.mark.slow),
    ],
)
def test_two_devices_make_what_one_makes(family, results):
    done = subprocess.run([sys.executable, "-c", SCRIPT, family], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == f"same {results}\n"
