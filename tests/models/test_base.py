"""`VideoModel` with families that fit into a few lines, and what it says to those that do not."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.errors import UserError
from hvp.models.base import VideoModel
from hvp.models.seeds import example_seeds, fold_in, sample_noise

CONTEXT = np.full((2, 3, 8, 8, 1), 0.5, np.float32)


@dataclasses.dataclass(frozen=True)
class ShiftConfig:
    family: str = "shift"
    by: float = 1.0


class Shift(VideoModel):
    """Every frame is the last one and a constant."""

    config_class = ShiftConfig

    def _rollout(self, context, horizon, num_samples, seeds, masks):
        return tf.repeat(context[:, -1:], horizon, 1)[None] + self.settings.by


class Noise(Shift):
    stochastic = True

    def _rollout(self, context, horizon, num_samples, seeds, masks):
        shape = (num_samples, len(context), horizon, *self.frame_shape)
        noise = sample_noise(seeds, num_samples, 0, shape[2:])
        return context[:, -1:] + tf.reshape(noise, shape)


def make(family=Shift, **settings):
    return family(height=8, width=8, **settings)


def test_settings_and_config():
    model = make(by=0.25, seed=3, name="mine")
    config = {"height": 8, "width": 8, "channels": 1, "seed": 3, "name": "mine", "by": 0.25}
    assert model.get_config() == config
    assert Shift.from_config(config).settings == ShiftConfig(by=0.25)
    with pytest.raises(ValueError, match="channels must be 1 or 3, received 2"):
        make(channels=2)
    with pytest.raises(TypeError, match="by_how_much"):
        make(by_how_much=1)
    with pytest.raises(TypeError, match="VideoModel has no setting by"):
        VideoModel(by=1)


def test_clipped_and_repeated():
    clipped = make().rollout(CONTEXT, 2, num_samples=3)
    np.testing.assert_array_equal(clipped, np.ones((3, 2, 2, 8, 8, 1)))
    np.testing.assert_array_equal(make().rollout(CONTEXT, 2, 3, clip=False), clipped + 0.5)
    for dtype in (np.float64, np.float16):
        assert make().rollout(CONTEXT.astype(dtype), 1).dtype == tf.float32
    assert make().rollout(CONTEXT.tolist(), 1).shape == (1, 2, 1, 8, 8, 1)


def test_seeds():
    model = make(Noise)
    one, pair = (model.rollout(CONTEXT, 2, 2, seed=seed) for seed in (5, (5, 0)))
    np.testing.assert_array_equal(one, pair)
    rows = [fold_in(5, example) for example in range(2)]
    np.testing.assert_array_equal(model.rollout(CONTEXT, 2, 2, seed=np.stack(rows)), one)
    np.testing.assert_array_equal(example_seeds(5, 2), np.stack(rows))
    drawn = [model.rollout(CONTEXT, 2, clip=False) for _ in range(2)]
    assert np.abs(drawn[0] - drawn[1]).max() > 0  # no seed: a new one each time


def test_in_a_graph():
    model = make()
    graph = tf.function(lambda context: model.rollout(context, 2), autograph=False)
    np.testing.assert_array_equal(graph(CONTEXT), model.rollout(CONTEXT, 2))


def test_masks():
    model = make()
    model.needs_masks = True
    with pytest.raises(UserError, match="Shift needs masks, but there are no masks beside the"):
        model.rollout(CONTEXT, 2)
    with pytest.raises(ValueError, match=r"masks of shape \(2, 3, 8, 8\), .* received \(2, 8, 8\)"):
        model.rollout(CONTEXT, 2, masks=np.zeros((2, 8, 8), np.uint8))
    masks = np.zeros((2, 3, 8, 8), np.uint8)
    assert model.rollout(CONTEXT, 2, masks=masks).shape == (1, 2, 2, 8, 8, 1)


def test_families_that_break_the_contract():
    class Short(Shift):
        def _rollout(self, context, horizon, num_samples, seeds, masks):
            return super()._rollout(context, horizon - 1, num_samples, seeds, masks)

        def _generate(self, num_videos, num_frames, seed):
            return tf.zeros((num_frames, num_videos, *self.frame_shape))

    expected = r"Short._rollout returned shape \(1, 2, 2, 8, 8, 1\), expected \(1, 2, 3, 8, 8, 1\)"
    with pytest.raises(UserError, match=expected):
        make(Short).rollout(CONTEXT, 3)
    with pytest.raises(UserError, match=r"Short._generate returned shape \(2, 1, 8, 8, 1\)"):
        make(Short).generate(1, 2)


class Layered(VideoModel):
    def make_layers(self):
        self.first = keras.layers.Conv2D(2, 3, name="first")
        self.others = [keras.layers.Dense(2, name="second")]


def test_layers_without_variables_are_named():
    with pytest.raises(UserError, match=r"^Layered leaves layers without .*: first, second; make"):
        make(Layered)


def test_layers_made_too_late_are_named():
    class Late(VideoModel):
        def __init__(self, **settings):
            super().__init__(**settings)
            self.hidden = keras.layers.Dense(2)

    with pytest.raises(
        UserError, match=r"^Late makes hidden when it is built already; make_layers"
    ):
        make(Late)


def test_call_is_traced_to_build_the_layers():
    class Traced(Layered):
        min_context = 2

        def call(self, context):
            assert context.shape == (1, 2, 8, 8, 1)
            return self.others[0](self.first(tf.reshape(context, (-1, 8, 8, 1))))

    assert [tuple(v.shape) for v in make(Traced).variables] == [(3, 3, 1, 2), (2,), (2, 2), (2,)]
