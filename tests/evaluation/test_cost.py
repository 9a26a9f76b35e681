"""What predictions cost: operations counted by hand, time without the first, compiled rollout."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from hvp.evaluation.cost import CostMeter, device_name
from hvp.evaluation.operations import count_operations
from hvp.models.base import VideoModel


def ones(*shape):
    return tf.ones(shape)


@tf.function
def looped(x):
    for _ in tf.range(5):
        x = tf.matmul(x, x)
    return x


def gradients(function, x, w):
    """Of the inputs of a layer without an activation: thrice what it takes itself."""
    with tf.GradientTape() as tape:
        tape.watch((x, w))
        y = function(x, w)
    return tape.gradient(y, (x, w))


@pytest.mark.parametrize(
    ("run", "operations"),
    [
        (lambda: tf.matmul(ones(2, 3), ones(3, 4)), 2 * 2 * 3 * 4),
        (lambda: tf.matmul(ones(3, 2), ones(3, 4), transpose_a=True), 2 * 2 * 3 * 4),
        (lambda: tf.matmul(ones(5, 2, 3), ones(5, 3, 4)), 2 * 5 * 2 * 3 * 4),
        (lambda: tf.nn.conv2d(ones(1, 8, 8, 3), ones(3, 3, 3, 6), 2, "SAME"), 2 * 16 * 6 * 27),
        (lambda: tf.nn.depthwise_conv2d(ones(1, 8, 8, 3), ones(3, 3, 3, 1), [1] * 4, "SAME"),
         2 * 64 * 3 * 9),
        (lambda: tf.nn.conv2d_transpose(ones(1, 4, 4, 6), ones(3, 3, 2, 6), (1, 8, 8, 2), 2),
         2 * 16 * 6 * 9 * 2),
        (lambda: gradients(lambda x, w: tf.matmul(x, w), ones(2, 3), ones(3, 4)),
         3 * 2 * 2 * 3 * 4),
        (lambda: gradients(lambda x, w: tf.nn.conv2d(x, w, 2, "SAME"),
                           ones(1, 8, 8, 3), ones(3, 3, 3, 6)), 3 * 2 * 16 * 6 * 27),
        (lambda: gradients(lambda x, w: tf.nn.conv3d(x, w, [1] * 5, "VALID"),
                           ones(1, 3, 4, 4, 2), ones(3, 3, 3, 2, 5)), 3 * 2 * 4 * 5 * 54),
        (lambda: gradients(lambda x, w: tf.nn.depthwise_conv2d(x, w, [1] * 4, "SAME"),
                           ones(1, 8, 8, 3), ones(3, 3, 3, 1)), 3 * 2 * 64 * 3 * 9),
        (lambda: gradients(lambda x, w: tf.nn.relu(x), ones(4), ones(1)), 8),
        (lambda: tf.einsum("...ij,jk->...ik", ones(7, 2, 3), ones(3, 4)), 2 * 7 * 2 * 3 * 4),
        (lambda: tf.einsum("ij->ji", ones(2, 3)), 0),
        (lambda: tf.signal.fft3d(tf.complex(ones(2, 4, 4, 4), ones(2, 4, 4, 4))), 5 * 128 * 6),
        (lambda: tf.signal.rfft(ones(3, 8)), round(2.5 * 24 * 3)),
        (lambda: tf.reduce_sum(ones(4, 4) + 1.0), 16 + 16),
        (lambda: tf.transpose(ones(4, 4)), 0),
        (lambda: looped(ones(3, 3)), 5 * 2 * 27),  # the rounds of a loop inside a function
    ],
)  # fmt: skip
def test_operations(run, operations):
    assert count_operations(run) == operations
    assert not tf.config.functions_run_eagerly()
    run()  # the count is over
    assert count_operations(lambda: None) == 0


class Brighter(VideoModel):
    """Copies the last frame and adds to it, one operation a value."""

    def make_layers(self):
        self.unused = layers.Dense(3)

    def build_layers(self):
        self.unused.build((None, 5))

    @tf.function
    def _rollout(self, context, horizon, num_samples, seeds, masks):
        return tf.repeat(context[:, -1:], horizon, 1)[None] + 0.1


def rollout(meter, examples=2, horizon=4):
    context = tf.zeros((examples, 3, 16, 16, 1))
    seeds = tf.zeros((examples, 2), tf.int32)
    for _ in meter.rollout_parts(context, horizon, 1, seeds, False, None, 4):
        pass


def test_cost_of_a_model(monkeypatch):
    ticks = iter([0, 100, 200, 208, 300, 340, 400, 416])  # seconds
    meter = CostMeter(Brighter(height=16, width=16))
    with pytest.raises(ValueError, match="nothing was predicted"):
        meter.cost()
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    for examples in (2, 2, 1, 2):  # 100 and 40 seconds are of shapes that were new
        rollout(meter, examples)
    monkeypatch.undo()
    cost = meter.cost()
    assert cost.parameters == 5 * 3 + 3
    assert cost.milliseconds_per_frame == pytest.approx(1000 * (8 + 16) / (2 * 2 * 4))
    assert cost.flops_per_frame == 16 * 16
    assert (cost.examples_at_once, cost.samples_at_once) == (2, 1)
    assert cost.memory_of in ("process", "GPU")
    assert cost.peak_memory_gib is None or 0.05 < cost.peak_memory_gib < 1000
    assert cost.device == device_name() != ""
    assert cost.record()["in_words"].startswith("1.8e-05 M parameters; ")
    assert math.isfinite(cost.record()["milliseconds_per_frame"])


def test_a_long_horizon_is_counted_by_its_first_frames(monkeypatch):
    class Encoding(Brighter):
        def _rollout(self, context, *arguments):
            return super()._rollout(context + tf.reduce_sum(context), *arguments)

    counts = {}
    for most in (8, 1000):
        monkeypatch.setattr("hvp.evaluation.cost.COUNTED", most)
        meter = CostMeter(Encoding(height=16, width=16))
        rollout(meter, horizon=20)
        counts[most] = meter.cost().flops_per_frame
    assert counts[8] == pytest.approx(counts[1000])
    assert counts[8] > 16 * 16


def test_a_single_batch_is_predicted_once_more():
    meter = CostMeter(Brighter(height=16, width=16))
    rollout(meter)
    assert meter.cost().milliseconds_per_frame > 0


def test_a_family_that_needs_graphs_goes_without_a_count():
    class Graphs(Brighter):
        def _rollout(self, *arguments):
            if tf.config.functions_run_eagerly():
                raise NotImplementedError
            return super()._rollout(*arguments)

    meter = CostMeter(Graphs(height=16, width=16))
    rollout(meter)
    cost = meter.cost()
    assert cost.flops_per_frame is None
    assert "operations not counted" in str(cost)
    assert np.isfinite(cost.milliseconds_per_frame)
