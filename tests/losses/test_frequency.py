"""Frequency losses against the originals' numbers, to 1e-5."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.losses import Frequency3D, WeightedFrequency
from hvp.losses.frequency import frequency_weight, weighted_losses

CASES = {
    "threedfl_log": Frequency3D(axes="code"),
    "threedfl_nolog": Frequency3D(log=False, axes="code"),
    "weighted_fl": WeightedFrequency(axes="code"),
    "threedfl_log_paper": Frequency3D(),
    "threedfl_nolog_paper": Frequency3D(log=False),
    "weighted_fl_paper": WeightedFrequency(),
}


@pytest.mark.parametrize("name", CASES)
def test_golden_values(golden, name):
    values, loss = golden("frequency_losses"), CASES[name]
    value, norm = value_and_gradient_norm(values, "", loss)
    assert value == pytest.approx(float(values[f"outputs/{name}"]), rel=1e-5)
    if name != "threedfl_nolog_paper":  # the file has no gradient of it
        assert norm == pytest.approx(float(values[f"outputs/grad_l2/{name}"]), rel=1e-5)


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"threedfl_nolog_paper"}))
def test_golden_values_of_colour_videos(golden, name):
    values = golden("frequency_losses")
    value, _ = value_and_gradient_norm(values, "rgb/", CASES[name])
    assert value == pytest.approx(float(values[f"outputs/rgb/{name}"]), rel=1e-5)


def value_and_gradient_norm(values, prefix, loss):
    true, predicted = (
        tf.constant(values[f"inputs/{prefix}{name}"].transpose(0, 1, 3, 4, 2))
        for name in ("target", "pred")
    )
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        value = loss(true, predicted)
    return float(value), float(tf.norm(tape.gradient(value, predicted)))


def test_weight_of_the_original(golden):
    mask = golden("frequency_losses")["outputs/weighted_fl_mask"]
    np.testing.assert_allclose(frequency_weight(10, 64, 64), mask, atol=1e-6)


def test_they_are_keras_losses():
    true = np.random.default_rng(0).random((2, 4, 8, 8, 1), "float32")
    for loss in (Frequency3D(log=False, axes="code"), WeightedFrequency()):
        assert float(loss(true, true)) == 0
        twin = type(loss).from_config(loss.get_config())
        assert float(twin(true, true[::-1])) == float(loss(true, true[::-1])) > 0
        assert isinstance(loss, keras.losses.Loss)
    with pytest.raises(ValueError, match="of one shape"):
        Frequency3D()(true, true[:, :3])
    with pytest.raises(ValueError, match="'paper' or 'code'"):
        Frequency3D(axes="time")


def test_losses_by_name():
    losses = weighted_losses({"mse": 1.0, "frequency_3d_linear": 0.1, "mae": 0.0}, axes="code")
    assert {name: weight for name, (weight, _) in losses.items()} == {
        "mse": 1.0,
        "frequency_3d_linear": 0.1,
    }
    linear = losses["frequency_3d_linear"][1]
    assert (linear.log, linear.axes) == (False, "code")
    with pytest.raises(ValueError, match="'psnr'; valid: mse"):
        weighted_losses({"psnr": 1.0})
    with pytest.raises(ValueError, match="below 0"):
        weighted_losses({"mse": -1.0})
