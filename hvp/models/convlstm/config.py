"""The `model` section of ConvLSTM."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from hvp.config.fields import Count, Interval, Items, Size, section


@section(frozen=True)
class ConvLSTMConfig:
    """Settings of `ConvLSTM`; defaults are OpenSTL's for Moving MNIST."""

    family: Literal["convlstm"] = "convlstm"
    """The family that this section belongs to."""
    context: Count = 10
    """Frames of a training window that are always read as they are."""
    hidden: Items[Size] = field(default_factory=lambda: [128, 128, 128, 128])
    """Features of each layer of cells."""
    kernel_size: Size = 5
    """Of the cells' convolutions; odd."""
    patch_size: Size = 4
    """Frames are cut into patches of this size, their pixels the channels."""
    sampling_steps: Interval = 50000
    """Updates over which true later frames give way to predictions (scheduled sampling)."""

    def __post_init__(self) -> None:
        if not self.hidden:
            raise ValueError("hidden must name at least one layer, found none")
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, found {self.kernel_size}")
