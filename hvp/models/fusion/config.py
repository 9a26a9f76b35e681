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


@dataclasses.dataclass(frozen=True)
class FusionConfig(PictureSettings):
    """Settings of `FusionModel`. What is published is the default; comments say what is ours."""

    family: Literal["fusion"] = "fusion"
    stage: Literal["joint", "predictor", "translator"] = "joint"  # what training updates
    frames: int = 16  # pictures that the predictor sees
    step: int = 16  # pictures that it predicts before it is fed its own (ours)
    fusion: bool = True  # false: pictures are the frames themselves, for comparison
    predictor_filters: list[int] = dataclasses.field(  # full size, then each halving (ours)
        default_factory=lambda: [32, 64, 128, 256, 256]
    )
    translator_filters: list[int] = dataclasses.field(
        default_factory=lambda: [64, 128, 256, 512, 512]
    )
    discriminator_filters: list[int] = dataclasses.field(default_factory=lambda: [32, 64, 128, 256])
    accompanying: bool = True
    condition_on_previous: bool = True  # the translator sees the previous frame too (ours)
    dropout: float = 0.5  # rate of the translator's noise
    stochastic: bool = False  # rollouts draw that noise (ours)
    upscale_factor: Literal[1, 2, 3, 4] = 2  # size that is shown over size that is predicted
    unsharp: float = 0.0  # share of high frequencies added to shown frames (ours)
    adversarial_loss: Literal["non_saturating", "hinge", "least_squares", "wasserstein"] = (
        "non_saturating"
    )
    adversarial_weight: float = 1.0
    l1_weight: float = 10.0  # of the translator, on frames in [-1, 1]
    ssim_weight: float = 1.0  # of 1 - SSIM, for translator and predictor
    gradient_difference_weight: float = 1.0  # for both (ours)
    translator_frames: int = 16  # drawn from each window to train the translator (ours)
    adam_beta_1: float = 0.5  # of translator and discriminator

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames < 1 or not 1 <= self.step <= self.frames:
            raise ValueError(
                f"step must be 1 to frames, found step {self.step} and frames {self.frames}"
            )
        for name, least in (("predictor", 1), ("translator", 1), ("discriminator", 2)):
            filters = getattr(self, f"{name}_filters")
            if len(filters) < least or min(filters) < 1:
                raise ValueError(
                    f"{name}_filters must be at least {least} positive numbers, found {filters}"
                )
        if not 0 <= self.dropout < 1 or not 0 <= self.adam_beta_1 < 1:
            raise ValueError(
                "dropout and adam_beta_1 must be from 0 to below 1, found "
                f"{self.dropout}, {self.adam_beta_1}"
            )
        for name in (
            "unsharp",
            "adversarial_weight",
            "l1_weight",
            "ssim_weight",
            "gradient_difference_weight",
        ):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be a number from 0, found {getattr(self, name)}")
        if self.translator_frames < 1:
            raise ValueError(
                f"translator_frames must be at least 1, found {self.translator_frames}"
            )
        if self.stochastic and not self.dropout:
            raise ValueError("stochastic rollouts draw the dropout's noise; dropout is 0")
        if self.segmentation == "annotations" and not self.fusion:
            raise ValueError("segmentation: annotations has no effect with fusion: false")
