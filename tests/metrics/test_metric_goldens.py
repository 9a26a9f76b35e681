"""Frame metrics against the numbers of the published evaluation code."""

import numpy as np
import pytest

from hvp.metrics import PROTOCOLS, mae, mse, psnr, ssim


@pytest.mark.parametrize("prefix", ["", "rgb/", "oob/"])
def test_frame_metrics(golden, prefix):
    golden = golden("frame_metrics")
    # Stored (batch, time, channels, height, width).
    true = np.moveaxis(golden[f"inputs/{prefix}true"], 2, -1)
    pred = np.moveaxis(golden[f"inputs/{prefix}pred"], 2, -1)

    def expected(name):
        return golden[f"outputs/{prefix}{name}"]

    def check(result, name, **tolerance):
        np.testing.assert_allclose(result, expected(name), err_msg=name, **tolerance)

    check(np.mean(mse(true, pred, "simvp")), "mse", rtol=1e-6)
    check(np.mean(mae(true, pred, "simvp")), "mae", rtol=1e-6)
    check(np.mean(psnr(true, pred)), "psnr_float", rtol=1e-6)
    check(np.mean(psnr(true, pred, "simvp-legacy")), "psnr", rtol=1e-6)
    check(ssim(true, pred), "ssim_per_frame_data_range1", atol=1e-5)
    check(ssim(true, pred, "simvp-legacy"), "ssim_per_frame", atol=1e-5)


@pytest.mark.parametrize("file", ["open_loop_metrics", "shared/open_loop_metrics"])
@pytest.mark.parametrize("channels", [1, 3])
def test_open_loop_metrics(golden, channels, file):
    golden = golden(file)
    true, pred = golden[f"c{channels}/gt"], golden[f"c{channels}/pred"]
    protocol = PROTOCOLS["legacy"]
    assert not protocol.clip_predictions
    np.testing.assert_allclose(
        psnr(true, pred, protocol.convention("psnr")), golden[f"c{channels}/psnr"], rtol=1e-6
    )
    np.testing.assert_allclose(
        ssim(true, pred, protocol.convention("ssim")), golden[f"c{channels}/ssim"], atol=1e-6
    )
    np.testing.assert_allclose(
        ssim(true, pred, "unclipped"), golden[f"c{channels}/ssim_data_range_1"], atol=1e-6
    )
