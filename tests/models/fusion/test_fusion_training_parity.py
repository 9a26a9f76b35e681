"""The first updates follow `data/golden/record_fusion.py`, the network written again in PyTorch.

There is no original to run (its paper publishes no code): what agrees here are two readings of the
same description, in two frameworks. The other families' trajectories are in
`models/test_training_trajectories.py`.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from hvp.config import TrainingConfig
from hvp.models import FusionModel


@pytest.fixture(scope="module")
def recorded(golden):
    return golden("fusion_training")


@pytest.fixture(scope="module")
def trajectory(recorded):
    """Scalars and gradients of every update, and the variables after them, by name."""
    model = FusionModel(**recorded.config)
    named = {v.path.split("/", 1)[1]: v for v in model.trainable_variables}
    assert named.keys() == recorded.weights.keys()
    for name, variable in named.items():
        variable.assign(recorded.weights[name])
    model.configure_training(TrainingConfig(clip_norm=None, **recorded.json("training")))
    noise = [tf.constant(recorded[f"noise/{i}"]) for i in range(2)]
    # The same for all rows: the order in which the frames are drawn then matters to nothing.
    model._training_noise = lambda count, seed: [tf.repeat(z, count, axis=0) for z in noise]
    gradients, apply = [], model.apply_global_gradients

    def noting(optimizer, found, variables):
        names = [v.path.split("/", 1)[1] for v in variables]
        gradients[-1] |= dict(zip(names, map(np.asarray, found), strict=True))
        return apply(optimizer, found, variables)

    model.apply_global_gradients = noting
    clips = tf.constant(recorded["inputs_video"].astype(np.float32) / np.float32(255))
    scalars = []
    for _ in recorded.json("terms"):
        gradients.append({})
        scalars.append({name: float(v) for name, v in model.train_step(clips).items()})
    return scalars, gradients, {name: np.asarray(v) for name, v in named.items()}


def test_losses(trajectory, recorded):
    scalars, _, _ = trajectory
    assert len(scalars) == 3
    for found, expected in zip(scalars, recorded.json("terms"), strict=True):
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_gradients(trajectory, recorded):
    """Each entry of the first update's; the norms of all, as far as rounding leaves them at the
    kinks of absolute values and ReLUs."""
    _, gradients, _ = trajectory
    for name, expected in recorded.below("first/").items():
        error = np.abs(gradients[0][name] - expected).max()
        assert error <= 1e-4 * np.abs(expected).max() + 1e-7, name
    for found, norms in zip(gradients, recorded.json("grad_norms"), strict=True):
        assert found.keys() == norms.keys()
        for name, norm in norms.items():
            assert np.linalg.norm(found[name]) == pytest.approx(norm, rel=5e-3, abs=1e-7), name


def test_variables_after_the_updates(trajectory, recorded):
    _, gradients, after = trajectory
    rate = recorded.json("training")["learning_rate"]
    moved = 0
    for name, expected in recorded.below("after/").items():
        told = np.min([np.abs(step[name]) for step in gradients], axis=0) > 1e-6
        error = np.abs(after[name] - expected)[told]
        assert error.size == 0 or error.max() <= 0.03 * rate, name
        moved += np.count_nonzero(np.abs(after[name] - recorded.weights[name]) > rate)
    assert moved > 1000
