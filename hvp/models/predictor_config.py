"""Checks that the configurations of SDFNet and DFDNet share; does not import TensorFlow."""

from __future__ import annotations

from typing import Any

from hvp.losses.settings import check_losses

STAGES = 4


def check_predictor(config: Any) -> None:
    """Checks `frames`, `hidden`, `reduction`, `kernel_sizes`, `blocks` and `losses`.

    Raises:
        ValueError: naming the setting and what was found.
    """
    if config.frames < 1 or config.reduction < 1:
        raise ValueError(
            f"frames and reduction must be at least 1, found {config.frames}, {config.reduction}"
        )
    if config.hidden < 2 or config.hidden % 2:
        raise ValueError(f"hidden must be even, found {config.hidden}")
    for name in ("kernel_sizes", "blocks"):
        values = getattr(config, name)
        if len(values) != STAGES or min(values) < 1:
            raise ValueError(f"{name} must be {STAGES} positive numbers, found {values}")
    if any(kernel % 2 == 0 for kernel in config.kernel_sizes):
        raise ValueError(f"kernel_sizes must be odd, found {config.kernel_sizes}")
    check_losses(config.losses)
