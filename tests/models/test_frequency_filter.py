"""DFDNet's filter: what its initial thresholds remove, and thresholds that learn."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.config import DataConfig, TrainingConfig
from hvp.data.video_split import VideoSplit
from hvp.layers import compiled
from hvp.layers.shared import SharedLayers
from hvp.models.dfdnet import axis_filter
from hvp.models.dfdnet.axis_filter import AxisFilter
from hvp.models.dfdnet.blocks import FilterBlock, FilterBlocks
from hvp.models.dfdnet.config import DFDNetConfig
from hvp.models.dfdnet.model import DFDNet
from hvp.models.sdfnet.config import SDFNetConfig
from hvp.models.sdfnet.model import Block

HEIGHT, FRAMES = 32, 4


def small(kind="fixed", **settings):
    keras.utils.set_random_seed(0)
    settings = {"hidden": 16, "blocks": [1, 1, 1, 1], **settings}
    return DFDNet(height=HEIGHT, width=HEIGHT, frames=FRAMES, filter=kind, **settings)


def digits(count=4):
    config = DataConfig(
        height=HEIGHT, width=HEIGHT, seq_len=2 * FRAMES, num_digits=2, test_videos=count
    )
    batch = next(iter(VideoSplit(config, "test").evaluation_batches(count)))
    return batch["video"]


def thresholds(model):
    return [v for v in model.trainable_variables if v.path.endswith("threshold")]


def removed(model, context, monkeypatch):
    """Share of the high bins that each filter removes, without the functions that blocks share."""
    shares, filtered = [], AxisFilter._filter

    def measured(self, lines):
        passing = self.mask(tf.signal.rfft(lines))
        shares.append(1.0 - np.mean(passing[:, :, self.passing :]))
        return filtered(self, lines)

    with monkeypatch.context() as patch:
        patch.setattr(AxisFilter, "_filter", measured)
        patch.setattr(SharedLayers, "__call__", lambda _, layer, x, **how: layer(x, **how))
        model(context, training=True)
    return shares


def test_initial_thresholds_remove_what_the_originals_do(monkeypatch):
    """0.6 to 8.8 % of the high bins at a standard deviation of 1; at 0.05 nearly none."""
    model = small()
    context = digits()[:, :FRAMES]
    published = removed(model, context, monkeypatch)
    assert len(published) == 4 * 2 * 2  # stages, segments, axes
    assert 0.005 < np.mean(published) < 0.12
    for variable in thresholds(model):
        variable.assign(variable * 0.05)
    assert np.mean(removed(model, context, monkeypatch)) < 0.1 * np.mean(published)


@pytest.mark.slow
def test_only_learned_thresholds_learn():
    clips, moved, losses = digits(), {}, {}
    for kind in ("fixed", "learned"):
        model = small(kind)
        model.configure_training(TrainingConfig(learning_rate=1e-2, adam_epsilon=1e-8))
        before = [np.array(v) for v in thresholds(model)]
        losses[kind] = float(model.train_step(clips)["loss"])
        after = [np.array(v) for v in thresholds(model)]
        moved[kind] = [np.mean(a != b) for a, b in zip(after, before, strict=True)]
    assert max(moved["fixed"]) == 0.0
    assert min(moved["learned"]) > 0.5
    # The comparison stays hard: learning thresholds change no prediction before they move.
    assert losses["learned"] == losses["fixed"]


def test_learned_thresholds_follow_the_gradient_of_a_sigmoid():
    layer = AxisFilter(1, 1, 0.0, "learned")
    layer.build((None, 4, 2, 2))
    spectrum = tf.complex(tf.constant([[[9.0, 0.3, 2.0], [9.0, 1.0, 0.2]]]), 0.0)
    layer.threshold.assign([[0.5, 0.5]])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer.mask(spectrum))
    np.testing.assert_array_equal(layer.mask(spectrum), [[[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]])
    assert float(total) == 4.0
    s = 1 / (1 + np.exp(-(np.array([[0.3, 2.0], [1.0, 0.2]]) - 0.5)))
    np.testing.assert_allclose(
        tape.gradient(total, layer.threshold.value), [-(s * (1 - s)).sum(axis=1)], rtol=1e-5
    )


@pytest.mark.slow
def test_without_a_filter_all_passes():
    """The same numbers as with thresholds that everything reaches, and none of their variables."""
    context = digits()[:, :FRAMES]
    model, reached = small("none"), small("fixed")
    assert not thresholds(model)
    named = {v.path.split("/", 1)[1]: v for v in model.variables}
    for variable in reached.variables:
        if variable.path.endswith("threshold"):
            variable.assign(variable * 0.0)
        else:
            variable.assign(named[variable.path.split("/", 1)[1]])
    np.testing.assert_allclose(model(context), reached(context), atol=2e-4)


def filter_block(**settings):
    keras.utils.set_random_seed(0)
    block = FilterBlock(4, DFDNetConfig(frames=4, hidden=8, **settings))
    block(np.zeros((1, 4, 6, 16), "float32"))
    return block


def features():
    return tf.constant(np.random.default_rng(0).normal(size=(1, 4, 6, 16)).astype("float32"))


@pytest.mark.parametrize("left_out", ["width", "height", "channels"])
def test_a_branch_that_is_left_out_is_one_that_predicts_nothing(left_out):
    kept = [branch for branch in ("width", "height", "channels") if branch != left_out]
    full, part = filter_block().filter, filter_block(branches=kept).filter
    named = {v.path.split("filter/", 1)[1]: v for v in full.variables}
    for variable in part.variables:
        variable.assign(named.pop(variable.path.split("filter/", 1)[1]))
    # The original's blocks see the frame's width first: `first` filters along it.
    place = {"width": "first/", "height": "second/", "channels": "channels/"}[left_out]
    assert named
    assert all(name.startswith(place) for name in named)
    for name, variable in named.items():
        if not name.endswith("threshold"):
            variable.assign(variable * 0.0)
    x, onto = features(), 2.0 * features()
    np.testing.assert_allclose(part(x, onto), full(x, onto), rtol=1e-5, atol=1e-6)


def stau(unit, x):
    """As the paper has it, on the original's order of axes."""
    gate, value = tf.split(unit.expand(tf.transpose(x, (0, 2, 1, 3))), 2, axis=-1)
    gate = tf.nn.gelu(unit.neighbourhood(gate))
    return tf.transpose(unit.project(gate * value), (0, 2, 1, 3))


def test_filter_blocks_side_by_side_are_each_by_itself():
    blocks = [FilterBlock(segments, DFDNetConfig(frames=4, hidden=8)) for segments in (4, 8)]
    x = features()
    for i, block in enumerate(blocks):
        block.build(x.shape)
        for j, v in enumerate(block.trainable_variables):
            v.assign(v + 0.1 * tf.random.stateless_normal(v.shape, (i, j)))
    together, one, other = (FilterBlocks(which) for which in (blocks, blocks[:1], blocks[1:]))
    np.testing.assert_allclose(together(x), tf.concat([other(x), one(x)], -1), 1e-5, 1e-5)


def test_stau_and_dfdu_can_be_left_out():
    x = features()
    no_stau, no_dfdu = filter_block(attention=False), filter_block(frequency_unit=False)
    assert not any("attention" in v.path for v in no_stau.variables)
    assert not any("filter/" in v.path.split("filter_block", 1)[-1] for v in no_dfdu.variables)
    for part in (no_stau, no_dfdu):
        part.norm.gamma.assign(np.linspace(0.5, 2.0, 16))
        part.norm.beta.assign(np.linspace(-1.0, 1.0, 16))
        normal = part.norm(x)
        expected = stau(part.attention, normal) + x if part.attention else part.filter(normal, x)
        np.testing.assert_allclose(part(x), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="the blocks would be empty"):
        DFDNetConfig(attention=False, frequency_unit=False)
    with pytest.raises(ValueError, match="branches is empty; without DFDU"):
        DFDNetConfig(branches=[])


def test_a_convolution_in_the_involutions_place():
    settings = SDFNetConfig(frames=2, hidden=16, operation="convolution")
    block = Block(32, settings, 5, residual=True)
    assert block(np.ones((1, 6, 6, 32), "float32"), training=True).shape == (1, 6, 6, 32)
    shapes = [tuple(v.shape) for v in block.trainable_variables if "convolution" in v.path]
    assert shapes == [(5, 5, 16, 16)]
    assert not any("involution" in v.path for v in block.variables)


@pytest.mark.parametrize("branches", [["width", "height", "channels"], ["width", "height"]])
def test_what_is_compiled_does_the_same(branches, monkeypatch):
    x = tf.random.stateless_normal((2, 4, 6, 16), (0, 0))
    weights = tf.random.stateless_normal(x.shape, (0, 1))
    found = []
    for whether in (False, True):
        monkeypatch.setattr(compiled, "pays", lambda *_, whether=whether: whether)
        block = filter_block(branches=branches)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = block(x)
        trained = [v for v in block.trainable_variables if not v.path.endswith("threshold")]
        values = [v.value for v in trained]
        found.append([y, *tape.gradient(y, (x, *values), weights)])
    for plain, fast in zip(*found, strict=True):
        # Rounding of sums in another order.
        np.testing.assert_allclose(fast, plain, rtol=1e-4, atol=1e-5 * np.abs(plain).max())


def test_transforms_that_are_computed_anew_are_the_same(monkeypatch):
    videos, found = digits(2), []
    for long in (1, 10**6):  # all transforms anew; none
        monkeypatch.setattr(axis_filter, "LONG", long)
        model = small()

        @tf.function(autograph=False)
        def gradients(model=model):
            with tf.GradientTape() as tape:
                loss, _ = model.compute_objective(videos, (0, 0), training=True)
            return loss, tape.gradient(loss, [v.value for v in model.trainable_variables])

        found.append(tf.nest.flatten(gradients()))
    for anew, kept in zip(*found, strict=True):
        assert (anew is None) is (kept is None)
        if anew is not None:
            np.testing.assert_allclose(anew, kept, rtol=1e-5, atol=1e-6)
