"""Updates that stay on the device: several in a call are the same updates."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tiny_family
from run_files import assert_equal_runs, events, quiet_train

from hvp.config import load_config
from hvp.errors import UserError
from hvp.training.updates import Updates


@pytest.fixture
def tiny_config(tmp_path, monkeypatch):
    from hvp.families import FAMILIES

    monkeypatch.setattr(FAMILIES._others, "_registered", dict(FAMILIES._others._registered))
    tiny_family.register()
    (tmp_path / "tiny.yml").write_text(tiny_family.CONFIG)
    return tmp_path / "tiny.yml"


class Counting:
    """`total` grows by each batch; every third step has a function and a number of its own."""

    def __init__(self, poison: int = -1):
        self.total, self.steps = tf.Variable(0.0), tf.Variable(0)
        self.poison = poison

    def usual(self, batch):
        self.total.assign_add(tf.reduce_sum(batch))
        self.steps.assign_add(1)
        return {"loss": tf.where(self.steps == self.poison, np.nan, self.total)}

    def third(self, batch):
        return {**self.usual(batch), "extra": tf.reduce_max(batch)}

    def step_function(self, step):
        return self.third if step % 3 == 2 else self.usual


def updates(counting, per_call):
    strategy = tf.distribute.get_strategy()
    return Updates(strategy, counting.step_function, per_call)


def batches():
    return iter(tf.data.Dataset.range(100).map(lambda i: tf.cast(i, tf.float32)[None]))


@pytest.mark.parametrize(("per_call", "expected"), [(1, [1] * 6), (4, [2, 1, 2, 1])])
def test_a_call_makes_as_many_as_one_function_does(per_call, expected):
    counting = Counting()
    made, step, iterator = updates(counting, per_call), 0, batches()
    counts = []
    while step < 6:
        counts.append(made.run(iterator, step, 6 - step))
        step += counts[-1]
    assert counts == expected
    assert made.scalars() == {"loss": 15.0, "extra": 5.0}
    assert made.not_finite() is None


@pytest.mark.parametrize("per_call", [1, 4])
def test_the_first_number_that_is_not_finite_is_known_later(per_call):
    counting = Counting(poison=2)
    made, step, iterator = updates(counting, per_call), 0, batches()
    while step < 7:
        step += made.run(iterator, step, 7 - step)
    assert np.isfinite(made.scalars()["loss"])
    assert made.not_finite() == (["loss"], 2)


@pytest.mark.parametrize("per_call", [1, 4])
def test_run_eagerly_a_step_is_not_traced_before(per_call, eagerly):
    counting, calls = Counting(poison=2), []

    def step(batch):
        calls.append(batch)
        return counting.usual(batch)

    made = Updates(tf.distribute.get_strategy(), lambda number: step, per_call)
    iterator, done = batches(), 0
    while done < 5:
        done += made.run(iterator, done, 5 - done)
    assert len(calls) == 5
    assert made.scalars() == {"loss": 10.0}
    assert made.not_finite() == (["loss"], 2)


def test_several_in_a_call_end_as_one_by_one(tiny_config, tmp_path):
    """The same numbers, logs and checkpoints, bit for bit; resumed in the middle of a call, too."""
    one = quiet_train(load_config(tiny_config), tmp_path / "one", traced=True)
    several = ["training.steps_per_call=4"]
    for steps in (4, 6):
        config = load_config(tiny_config, [*several, f"training.steps={steps}"])
        many = quiet_train(config, tmp_path / "many", traced=True)
    assert_equal_runs(many, one)
    logged = [
        [event for event in events(folder / "train") if "throughput" not in event[1]]
        for folder in (one, many)
    ]
    assert [step for step, tag, _ in logged[0] if tag == "loss"] == [1, 2, 4, 6]
    assert logged[0] == logged[1]


def test_nothing_that_is_not_finite_is_saved(tiny_config, tmp_path, monkeypatch):
    from tiny_model import TinyModel

    objective = TinyModel.compute_objective

    def poisoned(self, batch, seed, training):
        loss = objective(self, batch, seed, training)[0]
        loss *= tf.where(self.optimizer.iterations >= 1, np.nan, 1.0)
        return loss, {"loss": loss}

    monkeypatch.setattr(TinyModel, "compute_objective", poisoned)
    config = load_config(tiny_config, ["training.steps_per_call=4", "training.log_every=100"])
    with pytest.raises(UserError, match=r"loss.* not finite at step 2; no checkpoint was written"):
        quiet_train(config, tmp_path, traced=True)
    assert not list((tmp_path / "tiny/model").glob("ckpt-*"))
