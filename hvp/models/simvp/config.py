"""The `model` section of SimVP."""

from __future__ import annotations

from typing import Literal

from hvp.config.fields import Decay, Depth, NonNegative, Positive, Size, section
from hvp.models.predictor_config import Frames


@section(frozen=True)
class SimVPConfig:
    """Settings of `SimVP`; defaults are OpenSTL's for gSTA on Moving MNIST."""

    family: Literal["simvp"] = "simvp"
    """The family that this section belongs to."""
    frames: Frames = 10
    """Seen, and predicted."""
    hidden: Size = 64
    """Channels of a frame's features; even."""
    stages: Depth = 4
    """Of encoder and decoder; every second one halves or doubles the size."""
    kernel_size: Size = 3
    """Of encoder and decoder; odd."""
    translator: Literal["gSTA", "TAU", "ConvMixer", "IncepU"] = "gSTA"
    """What maps the seen frames' features to the next ones': gSTA, TAU, ConvMixer, IncepU."""
    translator_width: Size = 512
    """Of its blocks but the first."""
    translator_blocks: Depth = 8
    """How many; of IncepU on each side."""
    feed_forward_ratio: Positive = 8.0
    """gSTA and TAU: width inside a block's feed-forward part over the block's."""
    drop_path: Decay = 0.0
    """gSTA and TAU: share of examples whose last block's branches are left out in training."""
    divergence_weight: NonNegative = 0.0
    """Of the differential divergence beside the squared error; TAU's paper: 0.1."""

    def __post_init__(self) -> None:
        for name in ("stages", "translator_blocks"):
            if getattr(self, name) < 2:
                raise ValueError(f"{name} must be at least 2, found {getattr(self, name)}")
        for name in ("hidden", "translator_width"):
            if getattr(self, name) % 2:
                raise ValueError(f"{name} must be even, found {getattr(self, name)}")
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, found {self.kernel_size}")
