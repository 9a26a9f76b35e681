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
    scorer_ = Scorer(settings, find_protocol("default"))

    def score(*given):
        return {**scorer_.score_frames(*given), **scorer_.score_videos(*given)}

    true, pred = videos(2, 7, 16, 16, 1), videos(3, 2, 7, 16, 16, 1, seed=1)
    last, whole = videos(2, 1, 16, 16, 1, seed=2), videos(2, 7, 16, 16, 1, seed=3)
    together = score(true, tf.concat([tf.repeat(last, 7, 1)[None], whole[None], pred], 0))
    monkeypatch.setattr(scorer, "PIXELS_AT_ONCE", 4 * 5 * 16 * 16)  # 4 of 14 frames at a time
    apart = score(true, pred, [last, whole])
    assert apart.keys() == together.keys()
    for name, value in together.items():
        assert value.shape == (5, 2, 1 if name == "frequency_3d" else 7)
        np.testing.assert_allclose(apart[name], value, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("values", [1, 300, 2**20])  # of 2016: by one frame or row, by some, all
def test_spectra_do_not_depend_on_what_is_transformed_at_once(values, monkeypatch):
    monkeypatch.setattr(spectra, "VALUES_AT_ONCE", values)
    video, other = videos(2, 7, 8, 6, 3), videos(2, 7, 8, 6, 3, seed=1)
    tally = spectra.SpectralTally()
    tally.update(video, np.asarray(other))
    found = tally.spectra()
    for kind, x in {"truth": video, "error": other - video}.items():
        planes = np.abs(np.fft.fft2(np.moveaxis(x, -1, 1), axes=(3, 4))) ** 2 / 48**2
        total = planes.mean((0, 1, 2)).sum()
        assert found["spatial"].energy[kind].sum() == pytest.approx(total, rel=1e-4)
        lines = np.abs(np.fft.fft(np.asarray(x), axis=1)) ** 2 / 49
        folded = lines.mean((0, 2, 3, 4))
        folded = folded[:4] + np.pad(folded[:3:-1], (1, 0))
        np.testing.assert_allclose(found["temporal"].energy[kind], folded, rtol=1e-4)


def test_videos_seen_whole_are_encoded_in_chunks(eagerly):
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
    gallery = Gallery(videos(1, 5, 8, 8, 1), ["a"], 3, num_samples=1, horizon=3)
    gallery.add(videos(1, 1, 3, 8, 8, 1))
    (example,) = gallery.examples()
    assert example.stddev is None
    assert example.samples.shape == (1, 3, 8, 8, 1)
    assert gallery._stddev is None
