"""The `model` section of the step-by-step synthesis network."""

from __future__ import annotations

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class PictureSettings:
    """How fusion pictures are made; all of it is our reading, but for the weight."""

    segmentation: Literal["quantize", "annotations"] = "quantize"
    regions: int = 6  # quantize: found by k-means; annotations: labels told apart, 0 included
    fusion_weight: float = 0.3  # w of m = (s + w x) / (1 + w); 0: the segmentation alone
    edge_sigma: float = 1.0  # pixels, of Canny's smoothing
    edge_low: float = 0.1  # thresholds of the Sobel magnitude
    edge_high: float = 0.2

    def __post_init__(self) -> None:
        if not 2 <= self.regions <= 256:
            raise ValueError(f"regions must be 2 to 256, found {self.regions}")
        if not 0 <= self.fusion_weight < float("inf") or not 0 <= self.edge_sigma < 100:
            raise ValueError(
                "fusion_weight and edge_sigma must be at least 0, found "
                f"{self.fusion_weight}, {self.edge_sigma}"
            )
        if not 0 <= self.edge_low <= self.edge_high:
            raise ValueError(
                "edge_low must lie between 0 and edge_high, found "
                f"{self.edge_low}, {self.edge_high}"
            )
