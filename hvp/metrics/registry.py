"""What each metric is: name, direction, conventions. Importing this does not import TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from hvp.errors import UserError
from hvp.registry import Registry, load


@dataclasses.dataclass(frozen=True)
class Metric:
    """One metric of a predicted frame or video.

    Attributes:
        name: its key everywhere.
        label: for titles of tables and curves, with the unit.
        implementation: the function (or class, for one with weights), or its `module:name`. It
            takes `true` and `pred` `(..., time, height, width, channels)`, float in [0, 1], and
            `convention`, and returns `(..., time)`: one number a frame, from that frame alone.
        higher_is_better: which sample is the best of N.
        conventions: convention name -> what it computes, in words; `default` is one of them.
        decimals: digits worth printing.
        of: `video` for a metric of all predicted frames together, which returns `(...)`.
    """

    name: str
    label: str
    implementation: str | Callable[..., Any]
    higher_is_better: bool
    conventions: Mapping[str, str]
    decimals: int = 4
    of: Literal["frame", "video"] = "frame"

    def load(self) -> Any:
        """The function or class itself (imports TensorFlow)."""
        return (
            load(self.implementation)
            if isinstance(self.implementation, str)
            else (self.implementation)
        )


_CLIPPED = "predictions clipped to [0, 1]; "
_PIXEL_SUM = "over height, width and channels of unclipped predictions, as SimVP and OpenSTL sum it"
_IDENTICAL = "identical frames count 100 dB"
_PER_CHANNEL = (
    f"-10 log10(MSE) per channel of unclipped predictions, then the mean of the dB; {_IDENTICAL}"
)
_UNIFORM = "7x7 uniform window, sample covariance, border of 3 pixels left out, mean over channels"

_LPIPS = "LPIPS v0.1, AlexNet, frames in their own resolution, grey tiled to 3 channels"
_POWERS = "mean squared difference of {} of the spectra of all predicted frames "
_WEIGHTED = (
    "mean squared difference of the spectra of all predicted frames, by 1.5 minus a Gaussian {}, "
)
_PAPER_AXES = "over time, height and width"
_CODE_AXES = "over channels, height and width, unclipped (SDFNet's and DFDNet's code)"

_OWN: dict[str, Metric] = {
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
                "default": _CLIPPED + _LPIPS,
                "unclipped": _LPIPS,
            },
        ),
        Metric(
            name="digit",
            label="Digit recognised",
            implementation="hvp.metrics.digits:digit",
            higher_is_better=True,
            conventions={
                "default": _CLIPPED
                + "share of frames in which a classifier of the embedded digits reads what it "
                "reads in the true frame"
            },
            decimals=3,
        ),
        Metric(
            name="frequency_3d",
            label="3DFL",
            implementation="hvp.metrics.frequency:frequency_3d",
            higher_is_better=False,
            conventions={
                "default": _CLIPPED + _POWERS.format("log(1 + power)") + _PAPER_AXES,
                "linear": _CLIPPED + _POWERS.format("power") + _PAPER_AXES,
                "code": _POWERS.format("log(1 + power)") + _CODE_AXES,
                "code-linear": _POWERS.format("power") + _CODE_AXES,
            },
            of="video",
        ),
        Metric(
            name="weighted_frequency",
            label="WFL",
            implementation="hvp.metrics.frequency:weighted_frequency",
            higher_is_better=False,
            conventions={
                "default": _CLIPPED
                + _WEIGHTED.format("in the middle of the unshifted spectrum")
                + _PAPER_AXES,
                "fftshift": _CLIPPED + _WEIGHTED.format("around frequency 0") + _PAPER_AXES,
                "code": _WEIGHTED.format("in the middle of the unshifted spectrum") + _CODE_AXES,
            },
            of="video",
        ),
    )
}


class Metrics(Mapping[str, Metric]):
    """Metrics by name: the package's own, then registered ones, then those of installed packages.

    A package gives one by an entry point of the group `hvp.metrics` that refers to a `Metric`.
    """

    def __init__(self) -> None:
        self._others = Registry("metric", {}, group="hvp.metrics")

    def __getitem__(self, name: str) -> Metric:
        if name not in self:
            raise KeyError(name)
        return _OWN[name] if name in _OWN else self._others.find(name, asked_by="the metric")

    def __contains__(self, name: object) -> bool:
        return name in _OWN or name in self._others.names()

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*_OWN, *self._others.names()]))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def register(self, metric: Metric) -> None:
        """See `register_metric`."""
        if metric.name in _OWN:
            raise UserError(f"metric {metric.name!r} is there already; choose another name")
        if "default" not in metric.conventions:
            raise UserError(f"metric {metric.name!r}: its conventions need one called 'default'")
        self._others.register(metric.name, metric)


METRICS = Metrics()


def register_metric(metric: Metric) -> None:
    """Adds a metric for this process: `evaluation.metrics` and `METRICS` then know its name.

    One that was registered before under this name is replaced, as a notebook's cell needs it.

    Raises:
        UserError: if the name is taken or no plain word, or `default` is not among its conventions.
    """
    METRICS.register(metric)
