"""Metrics of predicted videos, each with its literature conventions by name.

    >>> hvp.metrics.psnr(true, pred)                       # (batch, time), in dB
    >>> hvp.metrics.psnr(true, pred, convention="cwvae")   # as Clockwork VAE's code computes it
    >>> hvp.metrics.LPIPS()(true, pred)

`METRICS` says what each metric and convention is; `PROTOCOLS` bundles conventions.
"""

from hvp._lazy import lazy_exports

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "LPIPS": "hvp.metrics.perceptual",
        "METRICS": "hvp.metrics.registry",
        "PROTOCOLS": "hvp.metrics.protocols",
        "Metric": "hvp.metrics.registry",
        "Protocol": "hvp.metrics.protocols",
        "frequency_3d": "hvp.metrics.frequency",
        "mae": "hvp.metrics.pixel_errors",
        "mse": "hvp.metrics.pixel_errors",
        "register_metric": "hvp.metrics.registry",
        "psnr": "hvp.metrics.signal_to_noise",
        "ssim": "hvp.metrics.structural_similarity",
        "weighted_frequency": "hvp.metrics.frequency",
    },
    # No submodule carries the name of a function: importing it would hide the function.
    submodules=(
        "ensemble",
        "frequency",
        "perceptual",
        "pixel_errors",
        "protocols",
        "registry",
        "signal_to_noise",
        "structural_similarity",
    ),
)
