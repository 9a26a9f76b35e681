"""LPIPS against its authors' package with seeded weights, against published values, its checks."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import hvp
from hvp.errors import UserError
from hvp.metrics import perceptual


@pytest.fixture
def lpips(lpips_weights):
    return hvp.metrics.LPIPS(lpips_weights)


@pytest.fixture(scope="module")
def published(shared_file):
    return hvp.metrics.LPIPS(shared_file("weights", "the published weights' distances"))


@pytest.mark.parametrize("size", ["64x64", "33x50"])
def test_as_the_authors_package_with_seeded_weights(lpips, golden, size):
    values = golden("lpips_seeded")
    true, pred = (values[f"inputs/{name}_{size}"] / np.float32(255) for name in ("true", "pred"))
    np.testing.assert_allclose(lpips(true[None], pred[None])[0], values[f"outputs/{size}"], 1e-5)


@pytest.mark.parametrize("size", [64, 128])
def test_published_weights(published, golden, size):
    values = golden("shared/lpips_alex")
    distances = published(values[f"inputs/img0_{size}"][None], values[f"inputs/img1_{size}"][None])
    np.testing.assert_allclose(distances[0], values[f"outputs/distance_{size}"], atol=1e-5)


def test_published_examples(published, shared_file):
    folder = shared_file("data/lpips_examples", "the distances that the authors publish")
    images = {
        name: np.asarray(Image.open(folder / f"{name}.png").convert("RGB"), np.float32) / 255
        for name in ("ex_ref", "ex_p0", "ex_p1")
    }
    true = np.stack([images["ex_ref"]] * 2)[None]
    pred = np.stack([images["ex_p0"], images["ex_p1"]])[None]
    np.testing.assert_allclose(published(true, pred), [[0.722, 0.138]], atol=5e-4)


def test_samples_chunks_clipping_and_grey(lpips, monkeypatch):
    random = np.random.default_rng(0)
    true = random.uniform(size=(2, 3, 32, 40, 1)).astype(np.float32)
    pred = (true + random.normal(0, 0.2, (4, *true.shape))).astype(np.float32)
    together = lpips(true, pred)  # (samples, batch, time)
    assert together.shape == (4, 2, 3)
    colour = lpips(np.repeat(true, 3, -1), np.repeat(np.clip(pred[1], 0, 1), 3, -1))
    np.testing.assert_allclose(together[1], colour, atol=1e-6)
    np.testing.assert_allclose(lpips(true, true), np.zeros((2, 3)), atol=1e-6)
    unclipped = lpips(true, pred, "unclipped")  # as the published script of the hierarchical model
    assert np.abs(unclipped - together).min() > 1e-6
    inside = lpips(true, np.clip(pred, 0, 1), "unclipped")
    np.testing.assert_allclose(inside, together, atol=1e-6)
    monkeypatch.setattr(perceptual, "_PIXELS_AT_ONCE", 4 * 5 * 32 * 40)  # 4 frames, then 2
    lpips._distances = tf.function(lpips._all_frames)
    np.testing.assert_allclose(lpips(true, pred), together, atol=1e-6)


def test_too_small_frames_and_wrong_channels(lpips):
    smallest = np.zeros((1, 1, 31, 31, 1), np.float32)
    assert lpips(smallest, smallest).shape == (1, 1)
    with pytest.raises(UserError, match="at least 31x31 pixels, these have 30x31"):
        lpips(smallest[:, :, :30], smallest[:, :, :30])
    two = np.zeros((1, 1, 32, 32, 2), np.float32)
    with pytest.raises(ValueError, match="1 or 3 channels"):
        lpips(two, two)


def test_environment_variable_names_the_weights(lpips, lpips_weights, monkeypatch):
    monkeypatch.setenv("HVP_WEIGHTS_DIR", str(lpips_weights))
    frame = np.full((1, 1, 32, 32, 3), 0.5, np.float32)
    assert float(hvp.metrics.LPIPS()(frame, frame * 0.5)[0, 0]) == pytest.approx(
        float(lpips(frame, frame * 0.5)[0, 0])
    )
