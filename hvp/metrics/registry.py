"""What each metric is: name, direction, conventions. Importing this does not import TensorFlow."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Metric:
    """One metric of a predicted frame.

    Attributes:
        name: its key everywhere.
        label: for titles of tables and curves, with the unit.
        implementation: `module:name` of the function (or class, for one with weights).
        higher_is_better: which sample is the best of N.
        conventions: convention name -> what it computes, in words.
        decimals: digits worth printing.
    """

    name: str
    label: str
    implementation: str
    higher_is_better: bool
    conventions: Mapping[str, str]
    decimals: int = 4

    def load(self) -> Any:
        """The function or class itself (imports TensorFlow)."""
        module, name = self.implementation.split(":")
        return getattr(importlib.import_module(module), name)


_CLIPPED = "predictions clipped to [0, 1]; "
_PIXEL_SUM = "over height, width and channels of unclipped predictions, as SimVP and OpenSTL sum it"
_IDENTICAL = "identical frames count 100 dB"
_PER_CHANNEL = (
    f"-10 log10(MSE) per channel of unclipped predictions, then the mean of the dB; {_IDENTICAL}"
)
_UNIFORM = "7x7 uniform window, sample covariance, border of 3 pixels left out, mean over channels"

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="mse",
            label="MSE",
            implementation="hvp.metrics.pixel_errors:mse",
            higher_is_better=False,
            conventions={
                "default": _CLIPPED + "mean squared error over height, width and channels",
                "unclipped": "mean squared error over height, width and channels",
                "simvp": f"sum of squared errors {_PIXEL_SUM}",
            },
            decimals=5,
        ),
        Metric(
            name="mae",
            label="MAE",
            implementation="hvp.metrics.pixel_errors:mae",
            higher_is_better=False,
            conventions={
                "default": _CLIPPED + "mean absolute error over height, width and channels",
                "unclipped": "mean absolute error over height, width and channels",
                "simvp": f"sum of absolute errors {_PIXEL_SUM}",
            },
            decimals=5,
        ),
        Metric(
            name="psnr",
            label="PSNR (dB)",
            implementation="hvp.metrics.signal_to_noise:psnr",
            higher_is_better=True,
            conventions={
                "default": _CLIPPED
                + f"-10 log10(MSE over height, width and channels); {_IDENTICAL}",
                "cwvae": _PER_CHANNEL,
                "svg": _PER_CHANNEL,
                "simvp-legacy": _CLIPPED
                + "both frames cut to 8 bits and their difference squared in 8 bits, which wraps "
                + f"modulo 256 and flatters large errors (SimVP, SDFNet, DFDNet); {_IDENTICAL}",
            },
            decimals=3,
        ),
        Metric(
            name="ssim",
            label="SSIM",
            implementation="hvp.metrics.structural_similarity:ssim",
            higher_is_better=True,
            conventions={
                "default": _CLIPPED + f"data range 1, {_UNIFORM}",
                "unclipped": f"data range 1, {_UNIFORM}",
                "legacy": f"data range 2 (scikit-image before 0.20, for floats), {_UNIFORM}",
                "simvp-legacy": _CLIPPED + f"data range 2, {_UNIFORM}",
                "gaussian": _CLIPPED
                + "data range 1, 11x11 Gaussian window of sigma 1.5 (`tf.image.ssim`), mean over "
                "channels",
            },
        ),
        Metric(
            name="lpips",
            label="LPIPS",
            implementation="hvp.metrics.perceptual:LPIPS",
            higher_is_better=False,
            conventions={
                "default": _CLIPPED
                + "LPIPS v0.1, AlexNet, frames in their own resolution, grey tiled to 3 channels"
            },
        ),
    )
}
