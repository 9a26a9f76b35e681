"""The `model` section of the step-by-step synthesis network."""

from __future__ import annotations

import dataclasses
from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field

from hvp.config.fields import (
    INTEGER,
    NUMBER,
    Count,
    Decay,
    Items,
    NonNegative,
    Size,
    section,
)

Filters = Items[Size]


@section(frozen=True)
class PictureSettings:
    """How fusion pictures are made; all of it is our reading, but for the weight."""

    # The descriptions stand in the annotations here, which classes inherit.
    segmentation: Annotated[
        Literal["quantize", "annotations"],
        Field(description="Regions of colour, or the data set's masks."),
    ] = "quantize"
    regions: Annotated[
        int,
        Field(
            ge=2,
            le=256,
            description="quantize: found by k-means; annotations: labels told apart, with 0.",
        ),
    ] = 6
    fusion_weight: Annotated[
        NonNegative, Field(description="w of m = (s + w x) / (1 + w); 0: the segmentation alone.")
    ] = 0.3
    edge_sigma: Annotated[
        float, Field(ge=0, lt=100, description="Pixels, of Canny's smoothing."), NUMBER
    ] = 1.0
    edge_low: Annotated[
        NonNegative, Field(description="Lower threshold of the Sobel magnitude.")
    ] = 0.1
    edge_high: Annotated[NonNegative, Field(description="Upper threshold.")] = 0.2

    def __post_init__(self) -> None:
        if self.edge_low > self.edge_high:
            raise ValueError(
                "edge_low must lie between 0 and edge_high, found "
                f"{self.edge_low}, {self.edge_high}"
            )


@section(frozen=True)
class FusionConfig(PictureSettings):
    """Settings of `FusionModel`. What is published is the default; what is ours says so."""

    family: Literal["fusion"] = "fusion"
    """The family that this section belongs to."""
    stage: Literal["joint", "predictor", "translator"] = "joint"
    """What training updates."""
    frames: Annotated[int, Field(ge=1, le=1024)] = 16
    """Pictures that the predictor sees."""
    step: Count = 16
    """Pictures that it predicts before it is fed its own (ours)."""
    fusion: bool = True
    """false: pictures are the frames themselves, for comparison."""
    predictor_filters: Filters = field(default_factory=lambda: [32, 64, 128, 256, 256])
    """Full size, then each halving (ours)."""
    translator_filters: Filters = field(default_factory=lambda: [64, 128, 256, 512, 512])
    """Of the translator, each halving."""
    discriminator_filters: Filters = field(default_factory=lambda: [32, 64, 128, 256])
    """Of the discriminator, each halving."""
    translator: Literal["full", "pix2pix"] = "full"
    """pix2pix: a plain conditional GAN, cross-entropy and L1, without our additions."""
    accompanying: bool = True
    """Convolutions that see the high frequencies, beside the others."""
    condition_on_previous: bool = True
    """The translator sees the previous frame too (ours)."""
    dropout: Decay = 0.5
    """Rate of the translator's noise."""
    stochastic: bool = False
    """Rollouts draw that noise (ours)."""
    upscale_factor: Annotated[Literal[1, 2, 3, 4], INTEGER] = 2
    """Size that is shown over size that is predicted."""
    unsharp: NonNegative = 0.0
    """Share of high frequencies added to shown frames (ours)."""
    adversarial_loss: Literal["non_saturating", "hinge", "least_squares", "wasserstein"] = (
        "non_saturating"
    )
    """non_saturating, hinge, least_squares, wasserstein."""
    adversarial_weight: NonNegative = 1.0
    """Of the adversarial loss."""
    l1_weight: NonNegative = 10.0
    """Of the translator, on frames in [-1, 1]."""
    ssim_weight: NonNegative = 1.0
    """Of 1 - SSIM, for translator and predictor."""
    gradient_difference_weight: NonNegative = 1.0
    """For both (ours)."""
    translator_frames: Count = 16
    """Drawn from each window to train the translator (ours)."""
    adam_beta_1: Decay = 0.5
    """Of translator and discriminator."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step > self.frames:
            raise ValueError(
                f"step must be 1 to frames, found step {self.step} and frames {self.frames}"
            )
        for name, least in (("predictor", 1), ("translator", 1), ("discriminator", 2)):
            filters = getattr(self, f"{name}_filters")
            if len(filters) < least:
                raise ValueError(
                    f"{name}_filters must be at least {least} positive numbers, found {filters}"
                )
        if self.stochastic and not self.dropout:
            raise ValueError("stochastic rollouts draw the dropout's noise; dropout is 0")
        if self.segmentation == "annotations" and not self.fusion:
            raise ValueError("segmentation: annotations has no effect with fusion: false")

    def of_translator(self) -> FusionConfig:
        """The settings that translator and shown frames go by: `pix2pix` leaves some out."""
        if self.translator == "full":
            return self
        return dataclasses.replace(
            self,
            accompanying=False,
            condition_on_previous=False,
            ssim_weight=0.0,
            gradient_difference_weight=0.0,
            unsharp=0.0,
        )
