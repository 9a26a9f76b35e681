"""Where quality is lost: what the report says of a reconstruction and of latents."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from hvp.evaluation import OpenLoopSettings, evaluate
from hvp.evaluation.latents import LatentTally, quality_loss
from hvp.evaluation.report import write_report
from hvp.models import SVGLP, HierarchicalModel
from hvp.models.base import VideoModel
from hvp.models.reconstruction import Reconstruction

pytestmark = pytest.mark.usefixtures("eagerly")  # test_evaluate.py evaluates by graphs

CONTEXT, HORIZON = 2, 4


class Coded(VideoModel):
    """Predicts black; with every frame seen it is off by a tenth. Its upper level is unused."""

    def _rollout(self, context, horizon, num_samples, seeds, masks):
        return tf.zeros((1, context.shape[0], horizon, *self.frame_shape))

    def _reconstruct(self, videos, seeds, state):
        used = tf.constant([0.5, 0.5, 0.0]) * tf.ones((len(videos), 6, 1))
        unused = tf.fill((len(videos), 3, 2), 0.001)
        return Reconstruction(videos[:, 1:] + 0.1, [used, unused]), None


def result(model, video):
    names = [f"clip{i}" for i in range(len(video))]
    data = tf.data.Dataset.from_tensor_slices({"video": video, "name": names}).batch(2)
    return evaluate(model, data, OpenLoopSettings(CONTEXT, HORIZON, metrics=("mse",)))


def test_the_report_says_where_quality_is_lost(tmp_path):
    video = np.full((3, CONTEXT + HORIZON, 16, 16, 1), 0.5, np.float32)
    found = result(Coded(height=16, width=16), video)
    curves = found.curves["mse"]
    assert curves["mean"].overall == pytest.approx(0.25)
    assert curves["reconstruction"].overall == pytest.approx(0.01, rel=1e-4)
    used, unused = found.levels
    assert (used.nats, used.active, used.dimensions, used.ticks) == (pytest.approx(6.0), 2, 3, 6)
    assert (unused.nats, unused.active) == (pytest.approx(0.006), 0)

    page = write_report(found, tmp_path, {}, gallery=False).read_text()
    report = json.loads((tmp_path / "metrics.json").read_text())
    assert report["summary"]["mse"]["reconstruction"]["mean"] == pytest.approx(0.01, rel=1e-4)
    assert [level["active"] for level in report["latents"]] == [2, 0]
    assert "Reconstruction</th>" in page
    assert "the error (MSE) is 4% of the prediction" in page
    assert "Level 1 is unused" in page
    assert "Level 0 is unused" not in page


def test_reconstructions_are_not_bold_and_used_latents_not_reproached():
    summary = {"mse": {k: {"mean": 0.1} for k in ("reconstruction", "mean_over_samples")}}
    (sentence,) = quality_loss(summary, [{"active": 1, "nats": 3.0}])
    assert "100%" in sentence
    (_, unused) = quality_loss(summary, [{"active": 0, "nats": 0.0}])
    assert unused.startswith("The latents are unused")


def test_a_model_without_latents_has_none():
    assert LatentTally().levels() == []


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        (
            lambda: HierarchicalModel(
                height=32, width=32, levels=2, tmp_abs_factor=2, enc_dense_embed_size=8,
                cell_stoch_size=3, cell_deter_size=8, cell_embed_size=8, channels_mult=0.125,
            ),
            [(3, 6), (3, 3)],
        ),
        (
            lambda: SVGLP(height=16, width=16, code_size=4, recurrent_size=4, latent_size=2),
            [(2, 5)],
        ),
    ],
)  # fmt: skip
def test_reconstructions_of_the_families(model, levels):
    """The same for a video whatever lies beside it in the batch."""
    model = model()
    video = np.random.default_rng(0).random((2, 6, *model.frame_shape), np.float32)
    seeds = tf.constant([[1, 2], [3, 4]])
    both, second = model.reconstruct(video, seeds), model.reconstruct(video[1:], seeds[1:])
    assert [(k.shape[2], k.shape[1]) for k in both.kl] == levels
    assert all(float(tf.reduce_min(k)) > -1e-6 for k in both.kl)
    assert both.frames.shape[2:] == model.frame_shape
    np.testing.assert_allclose(both.frames[1:], second.frames, atol=1e-5)
