"""Settings and checks that SDFNet and DFDNet share; does not import TensorFlow."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from hvp.config.fields import Items, NonNegative
from hvp.losses.settings import check_losses

STAGES = 4
WIDEST = 2**16  # channels of all frames together: what a matrix is made of
Frames = Annotated[int, Field(ge=1, le=1024)]
Reduction = Annotated[int, Field(ge=1, le=1024)]
KernelSizes = Items[Annotated[int, Field(ge=1, le=255)]]
Blocks = Items[Annotated[int, Field(ge=1, le=256)]]
Losses = dict[str, NonNegative]


def check_predictor(config: Any) -> None:
    """Checks what the types of `hidden`, `kernel_sizes`, `blocks` and `losses` do not say.

    Raises:
        ValueError: naming the setting and what was found.
    """
    if config.hidden % 2:
        raise ValueError(f"hidden must be even, found {config.hidden}")
    if config.frames * config.hidden > WIDEST:
        raise ValueError(
            f"frames x hidden = {config.frames} x {config.hidden} channels; at most {WIDEST}"
        )
    for name in ("kernel_sizes", "blocks"):
        values = getattr(config, name)
        if len(values) != STAGES:
            raise ValueError(f"{name} must be {STAGES} positive numbers, found {values}")
    if any(kernel % 2 == 0 for kernel in config.kernel_sizes):
        raise ValueError(f"kernel_sizes must be odd, found {config.kernel_sizes}")
    check_losses(config.losses)
