"""Energy by frequency."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from hvp.evaluation.spectra import SpectralTally


def tally(truth, prediction):
    result = SpectralTally()
    result.update(tf.constant(truth, tf.float32), tf.constant(prediction, tf.float32))
    return result.spectra()


@pytest.mark.parametrize("shape", [(2, 6, 16, 16, 1), (3, 5, 12, 17, 3)])
def test_energies_sum_to_mean_squares(shape):
    random = np.random.default_rng(0)
    truth, prediction = random.random((2, *shape))
    spectra = tally(truth, prediction)
    assert set(spectra) == {"spatial", "temporal"}
    for spectrum in spectra.values():
        sums = {kind: energy.sum() for kind, energy in spectrum.energy.items()}
        assert sums["truth"] == pytest.approx(np.mean(truth**2), rel=1e-4)
        assert sums["error"] == pytest.approx(np.mean((truth - prediction) ** 2), rel=1e-4)
        assert len(spectrum.frequency) == len(spectrum.energy["truth"])


def test_a_wave_is_found_at_its_frequency():
    t, x = np.arange(8)[:, None, None], np.arange(32)
    video = 0.5 + 0.5 * np.cos(2 * np.pi * (x * 6 / 32 - t * 2 / 8))  # (time, 1, width)
    video = np.broadcast_to(video, (8, 32, 32))[None, ..., None]
    spectra = tally(video, np.full_like(video, 0.5))
    for domain, frequency in (("spatial", 6 / 32), ("temporal", 2 / 8)):
        spectrum = spectra[domain]
        moving = spectrum.energy["truth"][1:]
        assert spectrum.frequency[1:][moving.argmax()] == pytest.approx(frequency)
        assert moving.max() == pytest.approx(0.125, rel=1e-3)
        assert spectrum.energy["prediction"][1:].max() < 1e-6
        np.testing.assert_allclose(spectrum.energy["error"][1:], moving, atol=1e-6)


def test_batches_do_not_matter():
    random = np.random.default_rng(1)
    truth, prediction = random.random((2, 4, 5, 8, 8, 1))
    whole, parts = tally(truth, prediction), SpectralTally()
    for rows in (slice(0, 1), slice(1, 4)):
        parts.update(
            tf.constant(truth[rows], tf.float32), tf.constant(prediction[rows], tf.float32)
        )
    assert set(whole) == {"spatial", "temporal"}
    for domain, spectrum in parts.spectra().items():
        assert set(spectrum.energy) == {"truth", "prediction", "error"}
        for kind, energy in spectrum.energy.items():
            np.testing.assert_allclose(energy, whole[domain].energy[kind], rtol=1e-5)
