"""The `model` section of DFDNet."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from hvp.config.fields import Items, Share, Size, section
from hvp.models.predictor_config import (
    Blocks,
    Frames,
    KernelSizes,
    Losses,
    Reduction,
    check_predictor,
)

SEGMENTS = (4, 8)  # channel segments of the two parallel blocks
Filter = Literal["fixed", "learned", "none"]
Branch = Literal["width", "height", "channels"]
BRANCHES: tuple[Branch, ...] = ("width", "height", "channels")


@section(frozen=True)
class DFDNetConfig:
    """Settings of `DFDNet`; defaults are the published training script's for Moving MNIST."""

    family: Literal["dfdnet"] = "dfdnet"
    """The family that this section belongs to."""
    frames: Frames = 10
    """Seen, and predicted."""
    hidden: Size = 64
    """Channels of a frame's features; even."""
    kernel_sizes: KernelSizes = field(default_factory=lambda: [3, 3, 3, 3])
    """Of the encoder's and decoder's convolutions, per stage; odd."""
    blocks: Blocks = field(default_factory=lambda: [1, 8, 2, 8])
    """Blocks per stage."""
    reduction: Reduction = 2
    """Of the channels inside a block."""
    low_frequencies: Share = 0.3125
    """Share of bins that pass unfiltered (the original's COF)."""
    filter: Filter = "fixed"
    """Thresholds of the other bins: fixed at their initial values (as coded), learned, or none."""
    attention: bool = True
    """STAU in every block; false: left out (ours, for comparison)."""
    frequency_unit: bool = True
    """DFDU in every block; false: left out (ours)."""
    branches: Items[Branch] = field(default_factory=lambda: list(BRANCHES))
    """Of DFDU; width and height without theirs pass unfiltered, channels are left out (ours)."""
    losses: Losses = field(default_factory=lambda: {"weighted_frequency": 1.0})
    """Weights of mse, mae, frequency_3d, frequency_3d_linear, weighted_frequency."""
    loss_axes: Literal["paper", "code"] = "paper"
    """Axes of the frequency losses' transforms: as the paper or as the published code has them."""

    def __post_init__(self) -> None:
        check_predictor(self)
        if self.frames * self.hidden % (self.reduction * max(SEGMENTS)):
            raise ValueError(
                f"frames x hidden / reduction = {self.frames} x {self.hidden} / {self.reduction} "
                f"must be divisible by {max(SEGMENTS)}, the number of channel segments"
            )
        if not self.branches:
            raise ValueError("branches is empty; without DFDU: frequency_unit: false")
        if not (self.attention or self.frequency_unit):
            raise ValueError("attention and frequency_unit are false: the blocks would be empty")
