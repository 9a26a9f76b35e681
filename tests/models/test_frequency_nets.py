"""Behaviour of SDFNet and DFDNet, without golden values."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.config import TrainingConfig
from hvp.models.dfdnet.model import DFDNet
from hvp.models.sdfnet.model import SDFNet

pytestmark = pytest.mark.usefixtures("eagerly")  # test_traced.py has them in graphs

SMALL = {"hidden": 8, "blocks": [1, 1, 1, 1], "losses": {"mse": 1.0}}
FAMILIES = {"sdfnet": (SDFNet, {"involution_kernels": [1, 3, 3, 5]}), "dfdnet": (DFDNet, {})}


def small(family, height=16, width=16, channels=1, frames=4, **changes):
    model_class, more = FAMILIES[family]
    keras.utils.set_random_seed(0)
    settings = {**SMALL, **more, "frames": frames, **changes}
    return model_class(height=height, width=width, channels=channels, **settings)


def walking_squares(videos, frames, height=16, width=16, channels=1):
    result = np.zeros((videos, frames, height, width, channels), "float32")
    for video in range(videos):
        for frame in range(frames):
            left = (3 * video + frame) % (width - 4)
            result[video, frame, 4 * video : 4 * video + 4, left : left + 4] = 1.0
    return result


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("height", "width", "channels", "frames"), [(16, 16, 3, 4), (24, 32, 1, 8)]
)
def test_sizes(family, height, width, channels, frames):
    model = small(family, height, width, channels, frames)
    context = walking_squares(2, frames, height, width, channels)
    assert model(context).shape == context.shape


@pytest.mark.parametrize("family", FAMILIES)
def test_rollout_feeds_predictions_back(family):
    model = small(family)
    context = walking_squares(2, 6)
    once = np.clip(model(context[:, -4:]), 0, 1)
    twice = np.clip(model(once), 0, 1)
    expected = np.concatenate([once, twice], axis=1)[:, :7]
    rollout = model.rollout(context, 7, num_samples=3)
    assert rollout.shape == (3, 2, 7, 16, 16, 1)
    for sample in rollout:
        np.testing.assert_allclose(sample, expected, atol=1e-4)
    unclipped = model.rollout(context, 3, clip=False)[0]
    np.testing.assert_allclose(unclipped, model(context[:, -4:])[:, :3], atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_losses_combine_by_weight(family):
    clips = walking_squares(2, 8)
    losses = {"mse": 2.0, "frequency_3d": 0.5, "mae": 0.0}
    model = small(family, losses=losses)
    loss, scalars = model.compute_objective(tf.constant(clips), tf.constant([0, 0]), training=False)
    expected = 2 * scalars["loss/mse"] + 0.5 * scalars["loss/frequency_3d"]
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    assert "loss/mae" not in scalars


@pytest.mark.slow
def test_thresholds_stay_and_statistics_move():
    model = small("dfdnet")
    model.configure_training(TrainingConfig(learning_rate=1e-2))
    thresholds = [v for v in model.trainable_variables if v.path.endswith("threshold")]
    statistics = [v for v in model.non_trainable_variables if "moving_mean" in v.path]
    before = [np.array(v) for v in (*thresholds, *statistics)]
    model.train_step(tf.constant(walking_squares(2, 8)))
    after = [np.array(v) for v in (*thresholds, *statistics)]
    changed = [bool(np.any(a != b)) for a, b in zip(before, after, strict=True)]
    assert len(thresholds) == 16
    assert not any(changed[:16])
    assert any(changed[16:])


@pytest.mark.parametrize("family", FAMILIES)
def test_mixed_precision(family):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = small(family)
        model.configure_training(TrainingConfig(learning_rate=1e-3))
        clips = tf.constant(walking_squares(2, 8))
        losses = [float(model.train_step(clips)["loss"]) for _ in range(5)]
        assert model(clips[:, :4]).dtype == tf.float32
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("family", "settings", "message"),
    [
        ("sdfnet", {"height": 18}, "divisible by 4"),
        ("sdfnet", {"frames": 3}, "divisible by 32"),
        ("sdfnet", {"involution_kernels": [1, 2, 3, 3]}, "odd"),
        ("sdfnet", {"losses": {"ssim": 1.0}}, "'ssim'; valid: mse"),
        ("sdfnet", {"losses": {}}, "at least one"),
        ("dfdnet", {"kernel_sizes": [3, 3]}, "kernel_sizes"),
        ("dfdnet", {"low_frequencies": 2.0}, "low_frequencies"),
        ("dfdnet", {"hidden": 5}, "even"),
        ("dfdnet", {"hidden": 2, "frames": 3}, "divisible by 8"),
    ],
)
def test_bad_settings(family, settings, message):
    with pytest.raises(ValueError, match=message):
        small(family, **settings)
