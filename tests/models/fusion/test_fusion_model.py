"""The synthesis network: shapes, training stages, rollouts."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.config import TrainingConfig
from hvp.errors import UserError
from hvp.losses.sharpness import gradient_difference, structural_dissimilarity
from hvp.models.fusion.blocks import Stage, high_frequencies, stages_that_fit, unsharp
from hvp.models.fusion.model import FusionModel
from hvp.training.schedules import make_schedule

pytestmark = pytest.mark.usefixtures("eagerly")  # test_recursion.py trains and predicts by graphs

SMALL = {
    "frames": 4,
    "step": 2,
    "regions": 3,
    "upscale_factor": 1,
    "predictor_filters": [4, 8, 8],
    "translator_filters": [4, 8, 8],
    "discriminator_filters": [4, 8, 8],
    "translator_frames": 3,
}


def small(height=16, width=16, channels=1, **changes):
    keras.utils.set_random_seed(0)
    return FusionModel(height=height, width=width, channels=channels, **{**SMALL, **changes})


def trained(model, clips, steps, **training):
    """The scalars of every step."""
    settings = {"learning_rate": 3e-3, "adam_epsilon": 1e-7, "clip_norm": None, **training}
    model.configure_training(TrainingConfig(**settings))
    step = tf.function(model.train_step, autograph=False) if steps > 1 else model.train_step
    return [{k: float(v) for k, v in step(clips).items()} for _ in range(steps)]


def walking_squares(videos=2, frames=6, height=16, width=16, channels=1):
    result = np.zeros((videos, frames, height, width, channels), "float32")
    for video in range(videos):
        for frame in range(frames):
            left = (3 * video + frame) % (width - 5)
            result[video, frame, 4 * video + 1 : 4 * video + 6, left : left + 5] = 0.8
    return result


@pytest.mark.parametrize(
    ("height", "width", "channels", "changes"),
    [
        (20, 26, 3, {"upscale_factor": 2}),  # pictures of 10x13: odd sizes on the way down
        (24, 36, 1, {"upscale_factor": 3, "condition_on_previous": False}),
        (48, 48, 3, {"upscale_factor": 4, "fusion": False, "accompanying": False}),
    ],
)
def test_sizes(height, width, channels, changes):
    model = small(height, width, channels, **changes)
    context = walking_squares(2, 5, height, width, channels)
    frames = model.rollout(context, 3)
    assert frames.shape == (1, 2, 3, height, width, channels)
    assert 0 <= np.min(frames) <= np.max(frames) <= 1
    scale = model.settings.upscale_factor
    assert model.pictures(context).shape == (2, 5, height // scale, width // scale, channels)


def test_published_stages():
    model = FusionModel(height=64, width=64, channels=3, upscale_factor=1)
    found = [stage.main.filters for stage in model.translator.down]
    assert found == [64, 128, 256, 512, 512]
    assert [stage.main.filters for stage in model.translator.up[::-1]] == [512, 256, 128, 64]
    assert len(model.translator.noise_shapes) == 3
    assert model.translator.down[0].norm is None
    assert model.min_context == 16
    # Time halves twice, then stays.
    assert [stage.main.strides[0] for stage in model.predictor.down] == [2, 2, 1, 1]
    assert stages_that_fit(480, 640, wanted=5) == 5
    assert stages_that_fit(32, 40, wanted=5) == 4


@pytest.mark.parametrize("stage", ["predictor", "translator"])
def test_a_stage_updates_what_it_names(stage):
    model = small(stage=stage)
    parts = {"predictor": model.predictor, "translator": model.translator}
    before = {name: [np.array(v) for v in part.variables] for name, part in parts.items()}
    scalars = trained(model, tf.constant(walking_squares()), 1)[0]
    for name, part in parts.items():
        pairs = zip(before[name], part.variables, strict=True)
        changed = any(np.any(a != np.array(b)) for a, b in pairs)
        assert changed == (stage == name)
        assert (f"{name}/l1" in scalars) == changed
    assert len(model.optimizers) == 3


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["joint", "predictor", "translator"])
def test_the_learning_rate_reported_is_that_of_what_is_trained(stage):
    model = small(stage=stage)
    schedule = make_schedule(TrainingConfig(learning_rate=0.1, schedule="cosine"), 2)
    model.configure_training(TrainingConfig(), schedule)
    clips = tf.constant(walking_squares())
    rates = [float(model.train_step(clips)["learning_rate"]) for _ in range(2)]
    np.testing.assert_allclose(rates, [schedule(1), schedule(2)], atol=1e-7)


def test_rollout_feeds_pictures_back():
    model = small(condition_on_previous=True)
    context = walking_squares()
    rollout = model.rollout(context, 5, num_samples=2)
    np.testing.assert_array_equal(rollout[0], rollout[1])
    window, previous, frames = model.pictures(context[:, 2:]), context[:, -1], []
    while len(frames) < 5:
        pictures = model.predictor(window)
        window = tf.concat([window, pictures], axis=1)[:, -4:]
        for t in range(2):
            condition = tf.concat([pictures[:, t], previous], axis=-1)
            previous = model.translator(condition)
            frames.append(previous)
    np.testing.assert_allclose(rollout[0], np.stack(frames[:5], axis=1), atol=1e-5)
    np.testing.assert_allclose(rollout[:, :, :3], model.rollout(context, 3, 2), atol=1e-5)
    np.testing.assert_allclose(rollout[0, 1:], model.rollout(context[1:], 5)[0], atol=1e-5)


def test_noise_is_dropout():
    model = small(height=32, width=32, dropout=0.25)
    noise = tf.random.stateless_normal((500, 4, 4, 8), (0, 0))
    dropped = model.translator._dropped(tf.ones_like(noise), noise)
    np.testing.assert_allclose(np.unique(dropped), [0, 4 / 3], rtol=1e-6)
    assert np.mean(dropped) == pytest.approx(1, abs=0.02)


def test_accompanying_convolution_sees_high_frequencies_alone():
    assert not np.any(np.round(high_frequencies(tf.ones((1, 2, 5, 6, 3))), 6))
    x = tf.random.stateless_uniform((2, 3, 8, 8, 4), (0, 0))
    stage = Stage(6, (1, 2, 2), accompanying=True, norm=False)
    without = np.array(stage(x))
    stage.main.kernel.assign(tf.zeros_like(stage.main.kernel))
    added = np.array(stage(x))
    assert np.abs(added).max() > 0
    np.testing.assert_allclose(stage(x + 1.0), added, atol=1e-5)  # brightness passes it by
    np.testing.assert_allclose(without.shape, (2, 3, 4, 4, 6))
    lean, full = (small(accompanying=a).count_params() for a in (False, True))
    assert lean < full < 2 * lean


def test_sharpness_terms():
    sharp = walking_squares()
    blurred = tf.constant(sharp) - high_frequencies(tf.constant(sharp))
    assert float(gradient_difference(sharp, sharp)) == 0
    assert float(gradient_difference(sharp, blurred)) > 0.01
    ramp = tf.range(4.0)[:, None, None] * tf.ones((4, 4, 1))
    assert float(gradient_difference(ramp, 0 * ramp)) == pytest.approx(1)  # 1 down, 0 right
    assert float(structural_dissimilarity(sharp, sharp)) == pytest.approx(0, abs=1e-6)
    assert float(structural_dissimilarity(sharp, blurred)) > 0.01  # a loss: worse is more
    energy = [np.square(high_frequencies(unsharp(blurred, a))).sum() for a in (0.0, 0.5)]
    assert energy[1] > 1.3 * energy[0]
    plain, sharpened = (small(unsharp=amount).rollout(sharp, 2) for amount in (0.0, 0.5))
    np.testing.assert_allclose(unsharp(plain, 0.5), sharpened, atol=1e-6)


def test_masks():
    model = small(channels=3, segmentation="annotations")
    video = walking_squares(channels=3)
    masks = (video[..., 0] > 0).astype(np.uint8)
    scalars = trained(model, {"video": tf.constant(video), "masks": tf.constant(masks)}, 1)[0]
    assert np.isfinite(scalars["loss"])
    with_masks = model.rollout(video, 2, masks=masks)
    assert np.abs(with_masks - model.rollout(video, 2, masks=1 - masks)).max() > 1e-4
    with pytest.raises(UserError, match="no masks beside the frames"):
        model.rollout(video, 2)
    upscaled = small(channels=3, segmentation="annotations", upscale_factor=2)
    assert upscaled.pictures(video, masks).shape == (2, 6, 8, 8, 3)


@pytest.mark.slow
def test_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = small()
        scalars = trained(model, tf.constant(walking_squares()), 4)
        assert model.rollout(walking_squares(), 2).dtype == tf.float32
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert scalars[-1]["loss"] < scalars[0]["loss"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"step": 5}, "step must be 1 to frames, found step 5 and frames 4"),
        ({"height": 17, "upscale_factor": 2}, "divisible by upscale_factor 2"),
        ({"translator_filters": []}, "translator_filters must be at least 1 positive"),
        ({"dropout": 1.0}, "dropout"),
        ({"l1_weight": -1.0}, "l1_weight must be a number from 0"),
        ({"stochastic": True, "dropout": 0.0}, "dropout is 0"),
        ({"segmentation": "annotations", "fusion": False}, "no effect"),
        ({"translator_frames": 0}, "translator_frames"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        small(**settings)
