"""The `model` section of DFDNet."""

from __future__ import annotations

import dataclasses
from typing import Literal

from hvp.models.predictor_config import check_predictor

SEGMENTS = (4, 8)  # channel segments of the two parallel blocks


@dataclasses.dataclass(frozen=True)
class DFDNetConfig:
    """Settings of `DFDNet`; defaults are the published training script's for Moving MNIST."""

    family: Literal["dfdnet"] = "dfdnet"
    frames: int = 10  # seen, and predicted
    hidden: int = 64  # channels of a frame's features
    kernel_sizes: list[int] = dataclasses.field(default_factory=lambda: [3, 3, 3, 3])
    blocks: list[int] = dataclasses.field(default_factory=lambda: [1, 8, 2, 8])  # per stage
    reduction: int = 2  # of the channels inside a block
    low_frequencies: float = 0.3125  # share of bins that pass unfiltered (the original's COF)
    losses: dict[str, float] = dataclasses.field(
        default_factory=lambda: {"weighted_frequency": 1.0}
    )
    loss_axes: Literal["paper", "code"] = "paper"

    def __post_init__(self) -> None:
        check_predictor(self)
        if not 0 <= self.low_frequencies <= 1:
            raise ValueError(f"low_frequencies must be in [0, 1], found {self.low_frequencies}")
        if self.frames * self.hidden % (self.reduction * max(SEGMENTS)):
            raise ValueError(
                f"frames x hidden / reduction = {self.frames} x {self.hidden} / {self.reduction} "
                f"must be divisible by {max(SEGMENTS)}, the number of channel segments"
            )
