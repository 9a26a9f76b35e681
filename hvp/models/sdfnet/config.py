"""The `model` section of SDFNet."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from hvp.config.fields import Size, section
from hvp.models.predictor_config import (
    Blocks,
    Frames,
    KernelSizes,
    Losses,
    Reduction,
    check_predictor,
)

Operation = Literal["involution", "convolution"]


@section(frozen=True)
class SDFNetConfig:
    """Settings of `SDFNet`; defaults are the published training script's for Moving MNIST."""

    family: Literal["sdfnet"] = "sdfnet"
    """The family that this section belongs to."""
    frames: Frames = 10
    """Seen, and predicted."""
    hidden: Size = 64
    """Channels of a frame's features; even."""
    kernel_sizes: KernelSizes = field(default_factory=lambda: [3, 3, 3, 3])
    """Of the encoder's and decoder's convolutions, per stage; odd."""
    blocks: Blocks = field(default_factory=lambda: [1, 8, 2, 8])
    """Blocks per stage."""
    operation: Operation = "involution"
    """In every block: involution, or a convolution of the same kernel sizes (ours)."""
    involution_kernels: KernelSizes = field(default_factory=lambda: [1, 15, 15, 21])
    """Kernel sizes of the involutions, per stage; odd."""
    reduction: Reduction = 2
    """Of the channels inside a block."""
    losses: Losses = field(default_factory=lambda: {"mse": 1.0})
    """Weights of mse, mae, frequency_3d, frequency_3d_linear, weighted_frequency."""
    loss_axes: Literal["paper", "code"] = "paper"
    """Axes of the frequency losses' transforms: as the paper or as the published code has them."""

    def __post_init__(self) -> None:
        check_predictor(self)
        kernels = self.involution_kernels
        if len(kernels) != 4 or any(k % 2 == 0 for k in kernels):
            raise ValueError(f"involution_kernels must be four odd numbers, found {kernels}")
        width = self.frames * self.hidden
        if width % 32 or width % (16 * self.reduction):
            raise ValueError(
                f"frames x hidden = {self.frames} x {self.hidden} must be divisible by 32 and by "
                f"16 x reduction ({self.reduction}): involutions share a kernel among 16 channels"
            )
