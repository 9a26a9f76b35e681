"""What is scored in parts, so that long horizons fit into memory, is scored as a whole."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import hvp
from hvp.drawing.examples import Gallery
from hvp.evaluation import scorer, spectra
from hvp.evaluation.open_loop import OpenLoopSettings
from hvp.evaluation.scorer import Scorer
from hvp.metrics.protocols import find_protocol


def videos(*shape, seed=0):
    return tf.random.stateless_uniform(shape, (seed, 0))


def test_others_are_scored_as_samples_are(monkeypatch):
    settings = OpenLoopSettings(context=2, horizon=7, metrics=("mse", "ssim", "frequency_3d"))
    score = Scorer(settings, find_protocol("default"))
    true, pred = videos(2, 7, 16, 16, 1), videos(3, 2, 7, 16, 16, 1, seed=1)
    last, whole = videos(2, 1, 16, 16, 1, seed=2), videos(2, 7, 16, 16, 1, seed=3)
    together = score(true, tf.concat([tf.repeat(last, 7, 1)[None], whole[None], pred], 0))
    monkeypatch.setattr(scorer, "PIXELS_AT_ONCE", 4 * 5 * 16 * 16)  # 4 of 14 frames at a time
    apart = score(true, pred, [last, whole])
    assert apart.keys() == together.keys()
    for name, value in together.items():
        assert value.shape == (5, 2, 1 if name == "frequency_3d" else 7)
        np.testing.assert_allclose(apart[name], value, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_spectra_do_not_depend_on_the_frames_at_once(at_once, monkeypatch):
    monkeypatch.setattr(spectra, "FRAMES_AT_ONCE", at_once)
    membership = np.eye(spectra.radial_bins(8, 6).max() + 1, dtype=np.float32)
    membership = membership[spectra.radial_bins(8, 6).ravel()]
    video = videos(2, 7, 8, 6, 3)
    spatial, temporal = spectra._energies.python_function(video, tf.constant(membership))
    planes = np.abs(np.fft.fft2(np.moveaxis(video, -1, 1))) ** 2 / 48**2
    lines = np.abs(np.fft.fft(np.asarray(video), axis=1)) ** 2 / 49
    np.testing.assert_allclose(np.sum(spatial, 1), planes.mean((1, 2)).sum((1, 2)), rtol=1e-4)
    folded = lines.mean((2, 3, 4))
    folded = folded[:, :4] + np.pad(folded[:, :3:-1], ((0, 0), (1, 0)))
    np.testing.assert_allclose(temporal, folded, rtol=1e-4)


def test_videos_seen_whole_are_encoded_in_chunks():
    model = hvp.build_model(hvp.load_config("demo", ["data.height=32", "data.width=32"]))
    video = videos(1, 70, *model.frame_shape)  # more frames than a chunk holds
    seeds = tf.constant([[1, 2]])
    found = model.reconstruct(video, seeds)
    features = model.encoder(video)
    noise = [
        hvp.models.seeds.sample_noise(seeds, 1, i, (f.shape[1], model.settings.cell_stoch_size))
        for i, f in enumerate(features)
    ]
    expected = model.decode(model.unroll(features, noise)[0]).mean()
    np.testing.assert_allclose(found.frames, expected, atol=1e-5)


def test_a_single_sample_has_no_spread_to_gather():
    gallery = Gallery(videos(1, 5, 8, 8, 1), ["a"], 3, num_samples=1)
    gallery.add(videos(1, 1, 3, 8, 8, 1))
    (example,) = gallery.examples()
    assert example.stddev is None
    assert example.samples.shape == (1, 3, 8, 8, 1)
    assert gallery._moments is None
