"""DFDNet's filter: what its initial thresholds remove, and thresholds that learn."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.config import DataConfig, TrainingConfig
from hvp.data.video_split import VideoSplit
from hvp.models.dfdnet.blocks import AxisFilter
from hvp.models.dfdnet.model import DFDNet

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
    """Share of the high bins that each filter removes, without the blocks' compiled programs."""
    shares, mask = [], AxisFilter.mask

    def measured(self, spectrum):
        passing = mask(self, spectrum)
        shares.append(1.0 - float(tf.reduce_mean(passing[:, :, self.passing :])))
        return passing

    for blocks in model.blocks:
        for block in blocks:
            block.programs = lambda layer, x: layer(x)
    with monkeypatch.context() as patch:
        patch.setattr(AxisFilter, "mask", measured)
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
