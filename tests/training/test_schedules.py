"""Learning-rate schedules."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from hvp.config import TrainingConfig
from hvp.models.adam import Adam
from hvp.training.schedules import make_schedule


def rates(total, steps, **settings):
    schedule = make_schedule(TrainingConfig(learning_rate=1.0, **settings), total)
    return [float(schedule(step)) if callable(schedule) else schedule for step in steps]


def recorded_one_cycles():
    path = Path(__file__).parents[1] / "data/golden/onecycle.json"
    return json.loads(path.read_text())["runs"]


@pytest.mark.parametrize("run", recorded_one_cycles(), ids=lambda run: f"{run['total_steps']}")
def test_one_cycle_is_pytorchs(run):
    """Recorded from PyTorch's OneCycleLR; float32 leaves 1e-5 of the rate, 1e-7 of the highest."""
    total, highest = run["total_steps"], run["highest"]
    found = highest * np.array(rates(total, range(total), schedule="onecycle"))
    assert len(found) == len(run["rates"]) == total
    np.testing.assert_allclose(found, run["rates"], rtol=1e-5, atol=1e-7 * highest)


@pytest.mark.parametrize("run", recorded_one_cycles(), ids=lambda run: f"{run['total_steps']}")
def test_one_cycle_cycles_adams_beta_1_as_pytorch(run):
    """Every beta_1, and the parameter that PyTorch's Adam made of the recorded gradients."""
    total, highest = run["total_steps"], run["highest"]
    training = TrainingConfig(learning_rate=highest, schedule="onecycle", cycle_momentum=True)
    variable = tf.Variable([run["start"]], dtype=tf.float32)
    optimizer = Adam(make_schedule(training, total), epsilon=run["epsilon"], pytorch_epsilon=True)
    optimizer.build([variable])
    betas, values = [], []
    for gradient in run["gradients"]:
        betas.append(float(optimizer.current_beta_1()))
        optimizer.apply_gradients([(tf.constant([gradient]), variable)])
        values.append(float(variable[0]))
    np.testing.assert_allclose(betas, run["beta_1"], rtol=1e-6)
    moved = np.abs(np.diff(run["parameter"], prepend=run["start"])).sum()
    np.testing.assert_allclose(values, run["parameter"], atol=2e-6 * max(moved, 1.0))


def test_a_restored_adam_goes_on_in_the_cycle(tmp_path):
    """beta_1 is a function of the updates made, so a resumed run is equal to the last bit."""

    def fresh():
        training = TrainingConfig(learning_rate=0.1, schedule="onecycle", cycle_momentum=True)
        variable = tf.Variable([0.5, -1.0])
        optimizer = Adam(make_schedule(training, 8), pytorch_epsilon=True)
        optimizer.build([variable])
        return variable, optimizer, tf.train.Checkpoint(v=variable, optimizer=optimizer)

    def update(variable, optimizer, steps):
        for step in steps:
            gradient = tf.stack([tf.cos(1.7 * step), tf.sin(0.3 * step)])
            optimizer.apply_gradients([(gradient, variable)])

    whole, optimizer, _ = fresh()
    update(whole, optimizer, range(8))
    first, optimizer, checkpoint = fresh()
    update(first, optimizer, range(3))
    prefix = checkpoint.write(str(tmp_path / "ckpt"))
    second, optimizer, checkpoint = fresh()
    checkpoint.read(prefix).assert_consumed()
    update(second, optimizer, range(3, 8))
    np.testing.assert_array_equal(second, whole)


def test_beta_1_stays_where_it_is_not_asked_to_cycle():
    schedule = make_schedule(TrainingConfig(schedule="onecycle"), 10)
    assert float(Adam(schedule).current_beta_1()) == pytest.approx(0.9)
    with pytest.raises(ValueError, match="cycle_momentum needs schedule onecycle, found cosine"):
        TrainingConfig(schedule="cosine", cycle_momentum=True)


@pytest.mark.parametrize("updates", [1, 10, 1000])
def test_epsilon_where_pytorch_adds_it(updates):
    """One gradient again and again: both moments' corrections undo their decay."""
    gradient, epsilon, steps = 1e-8, 1e-8, []
    for pytorch_epsilon in (True, False):
        variable = tf.Variable([0.0])
        optimizer = Adam(1.0, epsilon=epsilon, pytorch_epsilon=pytorch_epsilon)
        optimizer.build([variable])
        for _ in range(updates):
            before = float(variable[0])
            optimizer.apply_gradients([(tf.constant([gradient]), variable)])
        steps.append(before - float(variable[0]))
    corrected = np.sqrt(1 - 0.999**updates)
    assert steps[0] == pytest.approx(gradient / (gradient + epsilon), rel=2e-3)
    assert steps[1] == pytest.approx(gradient / (gradient + epsilon / corrected), rel=2e-3)


def test_cosine_and_constant_with_warm_up():
    cosine = rates(110, [0, 4, 9, 10, 60, 110], schedule="cosine", warmup_steps=10)
    assert cosine == pytest.approx([0.1, 0.5, 1.0, 1.0, 0.5, 0.0], abs=1e-6)
    assert rates(100, [0, 50, 99]) == [1.0, 1.0, 1.0]
    constant = rates(100, [0, 1, 3, 4, 99], warmup_steps=4)
    assert constant == pytest.approx([0.25, 0.5, 1.0, 1.0, 1.0])


def test_milestones():
    settings = {"schedule": "milestones", "milestones": [0.3, 0.8], "warmup_steps": 4}
    found = rates(100, [0, 3, 29, 30, 79, 80, 99], **settings)
    assert found == pytest.approx([0.25, 1, 1, 0.1, 0.1, 0.01, 0.01])
    with pytest.raises(ValueError, match="shares of the run in rising order"):
        TrainingConfig(milestones=[0.8, 0.3])
