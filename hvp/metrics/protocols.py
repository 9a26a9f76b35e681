"""Named protocols: which convention of each metric a published kind of number was made with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from hvp.errors import UserError
from hvp.metrics.registry import METRICS


@dataclasses.dataclass(frozen=True)
class Protocol:
    """A bundle of conventions.

    Attributes:
        name: what `--protocol` takes.
        description: in words, whose numbers it reproduces and how it differs from `default`.
        clip_predictions: whether the model's predictions are clipped to [0, 1] before the metrics.
        conventions: metric -> convention, for those that differ from `default`.
    """

    name: str
    description: str
    clip_predictions: bool = True
    conventions: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def convention(self, metric: str) -> str:
        """The convention of `metric` under this protocol."""
        return self.conventions.get(metric, "default")

    def describe(self, metrics: Iterable[str]) -> dict[str, Any]:
        """All of it as plain values, for files: name, words, and every convention spelled out."""
        return {
            "name": self.name,
            "description": self.description,
            "clip_predictions": self.clip_predictions,
            "conventions": {
                metric: {
                    "name": self.convention(metric),
                    "definition": METRICS[metric].conventions[self.convention(metric)],
                }
                for metric in metrics
            },
        }


_UNCLIPPED_ERRORS = {"mse": "unclipped", "mae": "unclipped"}
_PER_CHANNEL = {**_UNCLIPPED_ERRORS, "psnr": "cwvae", "ssim": "legacy"}
_SUMS = {"mse": "simvp", "mae": "simvp"}

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "default",
            "The correct definition of every metric: predictions clipped to [0, 1], PSNR from one "
            "error per frame, SSIM with data range 1.",
        ),
        Protocol(
            "legacy",
            "As the published evaluation script of the hierarchical residual model: unclipped "
            "predictions, for LPIPS as well, PSNR per channel, SSIM with data range 2. Only for "
            "comparison with numbers made by it; its SSIM is higher than the correct one.",
            clip_predictions=False,
            conventions={**_PER_CHANNEL, "lpips": "unclipped"},
        ),
        Protocol(
            "cwvae",
            "As Clockwork VAE's evaluation: unclipped predictions, PSNR per channel, SSIM with "
            "data range 2. The published number of samples is 1.",
            clip_predictions=False,
            conventions=_PER_CHANNEL,
        ),
        Protocol(
            "svg",
            "As SVG and SRVP: PSNR per channel, SSIM with data range 2, of predictions in [0, 1]. "
            "Published numbers take the best of 100 samples per metric.",
            conventions={"psnr": "svg", "ssim": "legacy"},
        ),
        Protocol(
            "simvp",
            "MSE and MAE summed over the frame as in SimVP's and OpenSTL's tables, of unclipped "
            "predictions; PSNR and SSIM correct.",
            clip_predictions=False,
            conventions=_SUMS,
        ),
        Protocol(
            "simvp-legacy",
            "As SimVP's first code, SDFNet and DFDNet: MSE and MAE summed over the frame, PSNR in "
            "8-bit arithmetic that wraps around (too high, often by several dB), SSIM with data "
            "range 2, 3DFL and WFL over the code's axes. Only for comparison with its numbers.",
            clip_predictions=False,
            conventions={
                **_SUMS,
                "psnr": "simvp-legacy",
                "ssim": "simvp-legacy",
                "frequency_3d": "code",
                "weighted_frequency": "code",
            },
        ),
    )
}


def find_protocol(name: str) -> Protocol:
    """The protocol called `name`.

    Raises:
        UserError: listing the valid names.
    """
    if name not in PROTOCOLS:
        raise UserError(f"unknown protocol {name!r}; valid: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
