"""What SimVP, ConvLSTM and SVG-LP do besides what the contract of all families asks."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import hvp
from hvp.config import TrainingConfig
from hvp.layers.normalisation import batch_norm
from hvp.losses.differential_divergence import differential_divergence
from hvp.models.svg_lp.model import normal_kl
from hvp.models.svg_lp.networks import stage_filters

pytestmark = pytest.mark.usefixtures("eagerly")  # test_traced.py, test_contract.py have graphs


def videos(*shape):
    return np.random.default_rng(0).uniform(size=shape).astype(np.float32)


@pytest.mark.parametrize("settings", [{"stages": 1}, {"hidden": 3}, {"kernel_size": 4}])
def test_simvp_names_a_setting_that_cannot_be(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        hvp.models.SimVP(**settings)


def test_simvp_of_two_stages_and_other_sizes():
    model = hvp.models.SimVP(
        height=12, width=20, channels=3, frames=2, hidden=4, stages=2, translator_width=8,
        translator_blocks=2,
    )  # fmt: skip
    assert model(videos(1, 2, 12, 20, 3)).shape == (1, 2, 12, 20, 3)


def test_dropped_branches_follow_the_seed_and_only_train():
    model = hvp.models.SimVP(
        height=8, width=8, frames=2, hidden=4, translator_width=8, translator_blocks=2,
        drop_path=0.5,
    )  # fmt: skip
    for block in model.translator.blocks:
        for scale in block.scales:
            scale.assign(tf.ones_like(scale))
    x = videos(16, 2, 8, 8, 1)
    first, again, other = (
        model(x, training=True, seed=tf.constant((seed, 0))).numpy() for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    seeded = model(x, training=False, seed=tf.constant((1, 0)))
    np.testing.assert_array_equal(model(x, training=False), seeded)


def test_divergence_is_of_changes_and_enters_the_loss():
    true, predicted = videos(2, 4, 8, 8, 1), videos(2, 4, 8, 8, 1)[:, ::-1]
    assert float(differential_divergence(true, true + 0.25)) == pytest.approx(0, abs=1e-6)
    changes = [np.diff(v, axis=1).reshape(2, 3, -1) / 0.1 for v in (true, predicted)]
    p, q = (np.exp(c) / np.exp(c).sum(-1, keepdims=True) for c in reversed(changes))
    expected = (p * np.log(p / q)).mean()
    assert float(differential_divergence(true, predicted)) == pytest.approx(expected, rel=1e-4)
    model = hvp.models.SimVP(
        height=8, width=8, frames=2, hidden=4, translator="TAU", translator_width=8,
        translator_blocks=2, divergence_weight=0.1,
    )  # fmt: skip
    loss, scalars = model.compute_objective(videos(2, 4, 8, 8, 1), tf.constant((0, 0)), False)
    parts = scalars["loss/mse"] + 0.1 * scalars["loss/differential_divergence"]
    assert float(loss) == pytest.approx(float(parts), rel=1e-6)


def small_convlstm(**settings):
    return hvp.models.ConvLSTM(
        height=8, width=8, context=2, hidden=[4], kernel_size=3, patch_size=2, **settings
    )


def test_convlstm_reads_its_own_predictions_when_the_truth_is_not_shown():
    model, x = small_convlstm(), videos(2, 5, 8, 8, 1)
    shown = np.array([[1, 1, 0, 0], [1, 1, 1, 1]], np.float32)
    mixed, all_true = model(x, shown=shown).numpy(), model(x).numpy()
    np.testing.assert_allclose(mixed[:, :2], all_true[:, :2], atol=1e-6)
    np.testing.assert_allclose(mixed[1], all_true[1], atol=1e-6)
    rolled = model.rollout(x[:, :2], 3, clip=False)[0]
    np.testing.assert_allclose(mixed[0, 1:], rolled[0], atol=1e-6)


def test_scheduled_sampling_falls_with_the_updates():
    model = small_convlstm(sampling_steps=4)
    model.configure_training(TrainingConfig(learning_rate=1e-3, adam_epsilon=1e-8))
    x = videos(2, 5, 8, 8, 1)
    seen = [float(model.train_step(x)["sampling_probability"]) for _ in range(5)]
    assert seen == [1.0, 0.75, 0.5, 0.25, 0.0]


def test_stages_of_svg_follow_the_size():
    assert stage_filters(64, 64) == [64, 128, 256, 512]
    assert stage_filters(32, 16) == [16, 32, 64]
    assert stage_filters(128, 64) == [64, 128, 256, 512, 512]
    with pytest.raises(ValueError, match="power of two"):
        hvp.models.SVGLP(height=48, width=48)


@pytest.mark.parametrize("backbone", ["dcgan", "vgg"])
def test_svg_decodes_frames_in_both_shapes(backbone):
    model = hvp.models.SVGLP(
        height=16, width=16, backbone=backbone, code_size=8, latent_size=2, recurrent_size=8
    )
    x = videos(2, 4, 16, 16, 1)
    bound = model.elbo(x, np.zeros((2, 4, 2), np.float32))
    assert bound.decoded.shape == (2, 3, 16, 16, 1)
    assert float(bound.loss) == pytest.approx(float(bound.mse + 1e-4 * bound.kl))
    longer = model.rollout(x, horizon=3, num_samples=2, seed=0).numpy()
    assert np.abs(longer[0] - longer[1]).max() > 0


def shown_skips(model, first, count):
    """Numbers of the frames whose skips decode those after frame `first`."""
    (numbers,) = model._shown([tf.range(first, first + count)], count, first)
    return numbers.numpy().tolist()


def test_skips_of_the_last_context_pair_or_of_the_newest_frame():
    fixed = hvp.models.SVGLP(height=16, width=16, context=3, code_size=4, recurrent_size=4)
    assert shown_skips(fixed, 0, 5) == [0, 1, 1, 1, 1]
    assert shown_skips(fixed, 1, 3) == [1, 1, 1]
    assert shown_skips(fixed, 4, 3) == [4, 4, 4]  # what is there for good
    newest = hvp.models.SVGLP(
        height=16, width=16, context=3, code_size=4, recurrent_size=4, last_frame_skip=True
    )
    assert shown_skips(newest, 0, 5) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_groups_are_normalised_one_after_the_other(dtype):
    x = tf.random.stateless_normal((6, 3, 3, 4), (0, 0), mean=1.0)
    together, apart = (batch_norm("norm", dtype=dtype) for _ in range(2))
    found = together(x, training=True, groups=3)
    expected = tf.concat([apart(part, training=True) for part in tf.split(x, 3)], 0)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    for variable, other in zip(together.variables, apart.variables, strict=True):
        np.testing.assert_allclose(variable, other, rtol=1e-6, atol=1e-7)


def test_kl_of_normals():
    zeros = tf.zeros((1, 2))
    np.testing.assert_array_equal(normal_kl(zeros, zeros, zeros, zeros), zeros)
    # KL(N(1, 4) || N(0, 1)) = (4 + 1 - 1) / 2 - log 2
    ones, log_four = tf.ones((1, 1)), tf.fill((1, 1), np.log(4.0).astype(np.float32))
    expected = 2 - np.log(2)
    (actual,) = np.ravel(normal_kl(ones, log_four, tf.zeros((1, 1)), tf.zeros((1, 1))))
    assert actual == pytest.approx(expected, rel=1e-6)


def spread(variable):
    values = np.asarray(variable)
    return float(values.std()), float(np.abs(values).max())


def test_initial_values_are_those_of_the_originals():
    tf.keras.utils.set_random_seed(0)
    size = {"height": 16, "width": 16, "frames": 4, "hidden": 32, "translator_blocks": 2}
    attention = hvp.models.SimVP(translator="TAU", translator_width=64, **size)
    std, largest = spread(attention.encoder.stages[1].convolution.convolution.kernel)
    assert std == pytest.approx(0.0176, rel=0.05)  # 0.02, cut off at two deviations
    assert largest < 0.04
    block = attention.translator.blocks[0]
    expected = np.sqrt(2 / (9 * 1))  # depthwise 3x3
    assert spread(block.feed_forward.neighbourhood.kernel)[0] == pytest.approx(expected, rel=0.05)
    np.testing.assert_array_equal(block.scales[0], np.full(128, 0.01, np.float32))
    inception = hvp.models.SimVP(translator="IncepU", translator_width=64, **size)
    bound = 1 / np.sqrt(3 * 3 * 4)  # of 32 channels, in 8 groups
    std, largest = spread(inception.translator.down[0].convolutions[0].kernel)
    assert 0.95 * bound < largest <= bound
    assert std == pytest.approx(bound / np.sqrt(3), rel=0.05)
    cell = hvp.models.ConvLSTM(height=16, width=16, hidden=[32]).cells[0]
    assert spread(cell.of_state.kernel)[1] <= 1 / np.sqrt(25 * 32)
    svg = hvp.models.SVGLP(height=16, width=16)
    assert spread(svg.encoder.stages[1].parts[0].convolution.kernel)[0] == pytest.approx(
        0.02, rel=0.05
    )
    gains = np.asarray(svg.encoder.stages[1].parts[0].norm.gamma)
    assert gains.mean() == pytest.approx(1, abs=0.01)
    assert gains.std() == pytest.approx(0.02, rel=0.3)


@pytest.mark.parametrize(
    "name",
    [
        "convlstm_demo",
        *(pytest.param(f"{n}_demo", marks=pytest.mark.slow) for n in ("simvp", "svg_lp")),
    ],
)
def test_mixed_precision(name):
    """bfloat16 products, float32 states, losses and frames."""
    narrow = {
        "convlstm_demo": "model.hidden=[4]",
        "simvp_demo": "model.translator_blocks=2",
        "svg_lp_demo": "model.filters=8",
    }
    config = hvp.load_config(name, ["data.height=16", "data.width=16", narrow[name]])
    video = tf.random.stateless_uniform((2, config.data.seq_len, 16, 16, 1), (0, 0))
    losses = []
    for policy in ("float32", "mixed_bfloat16"):
        keras.mixed_precision.set_global_policy(policy)
        try:
            keras.utils.set_random_seed(0)
            model = hvp.build_model(config)
            model.configure_training(config.training)
            losses.append(float(model.train_step(video)["loss"]))
            frames = model.rollout(video[:, : config.evaluation.context], 2)
        finally:
            keras.mixed_precision.set_global_policy("float32")
        assert frames.dtype == tf.float32
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[1] != losses[0]
