"""Frame metrics against scikit-image and the definitions."""

import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import hvp
from hvp.metrics.pixel_errors import MAE_CONVENTIONS, MSE_CONVENTIONS
from hvp.metrics.registry import METRICS
from hvp.metrics.signal_to_noise import PSNR_CONVENTIONS
from hvp.metrics.structural_similarity import SSIM_CONVENTIONS


@pytest.fixture(params=[1, 3], ids=["grey", "rgb"])
def videos(request):
    random = np.random.default_rng(request.param)
    true = random.uniform(size=(2, 3, 16, 21, request.param))
    pred = true + random.normal(0, 0.1, true.shape)  # leaves [0, 1] here and there
    return true.astype(np.float32), pred.astype(np.float32)


def per_frame(true, pred, function):
    return np.array(
        [
            [
                function(a.astype(np.float64), b.astype(np.float64))
                for a, b in zip(*pair, strict=True)
            ]
            for pair in zip(true, pred, strict=True)
        ]
    )


def reference_ssim(data_range):
    return lambda a, b: structural_similarity(a, b, data_range=data_range, channel_axis=-1)


def test_defaults_clip_and_agree_with_scikit_image(videos):
    true, pred = videos
    clipped = np.clip(pred, 0, 1)
    expected = {
        "mse": per_frame(true, clipped, lambda a, b: ((a - b) ** 2).mean()),
        "mae": per_frame(true, clipped, lambda a, b: abs(a - b).mean()),
        "psnr": per_frame(true, clipped, lambda a, b: peak_signal_noise_ratio(a, b, data_range=1)),
        "ssim": per_frame(true, clipped, reference_ssim(1.0)),
    }
    for name, values in expected.items():
        result = getattr(hvp.metrics, name)(true, pred)
        assert result.shape == (2, 3)
        assert result.dtype == tf.float32
        np.testing.assert_allclose(result, values, rtol=2e-6, err_msg=name)


def test_unclipped_and_legacy_conventions(videos):
    true, pred = videos
    np.testing.assert_allclose(
        hvp.metrics.ssim(true, pred, "legacy"),
        per_frame(true, pred, reference_ssim(2.0)),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        hvp.metrics.ssim(true, pred, "unclipped"),
        per_frame(true, pred, reference_ssim(1.0)),
        rtol=1e-6,
    )
    per_channel = -10 * np.log10(((true.astype(np.float64) - pred) ** 2).mean((2, 3))).mean(-1)
    for convention in ("cwvae", "svg"):
        np.testing.assert_allclose(hvp.metrics.psnr(true, pred, convention), per_channel, rtol=1e-6)
    sums = ((true.astype(np.float64) - pred) ** 2).sum((2, 3, 4))
    np.testing.assert_allclose(hvp.metrics.mse(true, pred, "simvp"), sums, rtol=1e-6)


def test_gaussian_ssim_agrees_with_scikit_image(videos):
    true, pred = videos

    def reference(a, b):
        # truncate=3.5 with sigma 1.5 makes the 11x11 window; its map is cropped by 5 pixels here.
        _, similarity = structural_similarity(
            a,
            np.clip(b, 0, 1),
            data_range=1.0,
            channel_axis=-1,
            gaussian_weights=True,
            use_sample_covariance=False,
            full=True,
        )
        return similarity[5:-5, 5:-5].mean()

    result = hvp.metrics.ssim(true, pred, "gaussian")
    np.testing.assert_allclose(result, per_frame(true, pred, reference), atol=1e-5)


def test_wrapped_psnr_is_numpy_uint8_arithmetic(videos):
    true, pred = (np.clip(video, 0, 1) for video in videos)
    true8, pred8 = (true * 255).astype(np.uint8), (pred * 255).astype(np.uint8)
    wrapped = ((true8 - pred8) ** 2).astype(np.float64).mean((2, 3, 4))
    np.testing.assert_allclose(
        hvp.metrics.psnr(true, pred, "simvp-legacy"), -10 * np.log10(wrapped / 255**2), rtol=1e-6
    )


def test_ssim_of_nearly_flat_bright_frames():
    # The case in which float32 moments are off by 1e-4.
    random = np.random.default_rng(0)
    true = np.full((1, 8, 32, 32, 1), 0.9, np.float32)
    pred = np.clip(true + random.normal(0, 0.002, true.shape), 0, 1).astype(np.float32)
    expected = per_frame(true, pred, reference_ssim(1.0))
    np.testing.assert_allclose(hvp.metrics.ssim(true, pred), expected, atol=1e-6)


def test_identical_frames(videos):
    true, _ = videos
    for name, best in (("mse", 0.0), ("mae", 0.0), ("psnr", 100.0), ("ssim", 1.0)):
        assert "default" in METRICS[name].conventions
        for convention in METRICS[name].conventions:
            result = getattr(hvp.metrics, name)(true, true, convention)
            np.testing.assert_allclose(result, np.full((2, 3), best), rtol=1e-6, atol=0)


def test_samples_broadcast_against_truth_and_graph_mode_agrees(videos):
    true, pred = videos
    samples = np.stack([pred, true, pred[::-1]])  # (samples, batch, time, H, W, C)
    for name in ("mse", "mae", "psnr", "ssim"):
        function = getattr(hvp.metrics, name)
        assert "default" in METRICS[name].conventions
        for convention in METRICS[name].conventions:
            one_by_one = [function(true, sample, convention) for sample in samples]
            together = tf.function(function)(true, samples, convention)
            np.testing.assert_allclose(together, one_by_one, rtol=1e-6, atol=1e-6)


def test_registry_lists_the_implemented_conventions():
    implemented = {
        "mse": MSE_CONVENTIONS,
        "mae": MAE_CONVENTIONS,
        "psnr": PSNR_CONVENTIONS,
        "ssim": SSIM_CONVENTIONS,
    }
    for name, conventions in implemented.items():
        assert list(METRICS[name].conventions) == list(conventions)
        assert METRICS[name].load() is getattr(hvp.metrics, name)


@pytest.mark.parametrize("name", ["mse", "mae", "psnr", "ssim"])
def test_unknown_convention_lists_the_valid_ones(name, videos):
    with pytest.raises(ValueError, match="no convention 'nonsense'; valid: default, "):
        getattr(hvp.metrics, name)(*videos, convention="nonsense")


def test_refuses_bytes_other_shapes_and_tiny_frames():
    frames = np.zeros((1, 2, 8, 8, 1), np.float32)
    with pytest.raises(ValueError, match="divide 8-bit frames by 255"):
        hvp.metrics.mse(frames.astype(np.uint8), frames)
    with pytest.raises(ValueError, match="differ in"):
        hvp.metrics.psnr(frames, frames[..., :7, :])
    with pytest.raises(ValueError, match="differ in"):
        hvp.metrics.psnr(frames, frames[:, :1])
    with pytest.raises(ValueError, match=r"\(\.\.\., time, height, width, channels\)"):
        hvp.metrics.psnr(frames[0, 0], frames[0, 0])
    with pytest.raises(ValueError, match="at least 7x7"):
        hvp.metrics.ssim(frames[:, :, :6], frames[:, :, :6])
