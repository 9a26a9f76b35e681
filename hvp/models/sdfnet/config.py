"""The `model` section of SDFNet."""

from __future__ import annotations

import dataclasses
from typing import Literal

from hvp.models.predictor_config import check_predictor


@dataclasses.dataclass(frozen=True)
class SDFNetConfig:
    """Settings of `SDFNet`; defaults are the published training script's for Moving MNIST."""

    family: Literal["sdfnet"] = "sdfnet"
    frames: int = 10  # seen, and predicted
    hidden: int = 64  # channels of a frame's features
    kernel_sizes: list[int] = dataclasses.field(default_factory=lambda: [3, 3, 3, 3])
    blocks: list[int] = dataclasses.field(default_factory=lambda: [1, 8, 2, 8])  # per stage
    involution_kernels: list[int] = dataclasses.field(default_factory=lambda: [1, 15, 15, 21])
    reduction: int = 2  # of the channels inside a block
    losses: dict[str, float] = dataclasses.field(default_factory=lambda: {"mse": 1.0})
    loss_axes: Literal["paper", "code"] = "paper"

    def __post_init__(self) -> None:
        check_predictor(self)
        kernels = self.involution_kernels
        if len(kernels) != 4 or any(k < 1 or k % 2 == 0 for k in kernels):
            raise ValueError(f"involution_kernels must be four odd numbers, found {kernels}")
        width = self.frames * self.hidden
        if width % 32 or width % (16 * self.reduction):
            raise ValueError(
                f"frames x hidden = {self.frames} x {self.hidden} must be divisible by 32 and by "
                f"16 x reduction ({self.reduction}): involutions share a kernel among 16 channels"
            )
