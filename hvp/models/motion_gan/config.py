"""The `model` section of the frequency-based motion GAN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from hvp.config.fields import (
    Decay,
    Depth,
    Factor,
    Interval,
    Items,
    NonNegative,
    Number,
    Positive,
    Size,
    section,
)
from hvp.config.mistakes import shown
from hvp.models.motion_gan.widths import TABLE

POLICIES = ("color", "translation", "cutout", "flip")


def _resolutions(widths: Any) -> Any:
    """JSON, in which Keras keeps a model's settings, makes strings of keys that are numbers."""
    if not isinstance(widths, Mapping):
        return widths
    return {
        int(key) if isinstance(key, str) and key.isdecimal() and len(key) < 10 else key: count
        for key, count in widths.items()
    }


@section(frozen=True)
class MotionGANConfig:
    """Settings of `MotionGAN`; the defaults are the published ones."""

    family: Literal["motion_gan"] = "motion_gan"
    """The family that this section belongs to."""
    video_length: Annotated[int, Field(ge=2, le=10**6)] = 16
    """Frames of a training clip, which spans times -1 to 1."""
    content_dim: Size = 512
    """Of the code of a video's content."""
    motion_dim: Annotated[int, Field(ge=2, le=16384)] = 512
    """Of the code of its motion."""
    content_layers: Depth = 8
    """Dense layers of the content code's mapping."""
    motion_layers: Depth = 2
    """Dense layers of the motion code's mapping."""
    frequencies: Items[Positive] = field(default_factory=lambda: [7.0])
    """Upper ends of the ranges from which the branches' frequencies start, rising."""
    width_factor: Factor = 1.0
    """Times StyleGAN2's table of features, of all networks."""
    widths: Annotated[dict[int, Size], BeforeValidator(_resolutions)] | None = None
    """Resolution: features of the renderer, where they are not the table's."""
    image_discriminator: Literal["image", "patch_image"] = "image"
    """image or patch_image."""
    video_discriminator: Literal["video", "patch_video", "pair"] = "patch_video"
    """video, patch_video or pair."""
    video_discriminator_scale: Number = 0.5
    """Videos are averaged down to this for it: 1, 0.5 or 0.25."""
    images_per_video: Annotated[int, Field(ge=1, le=1000)] = 2
    """Clips that give a frame, for each one that is seen as a video."""
    augment: Items[str] = field(default_factory=lambda: list(POLICIES))
    """What both discriminators' inputs undergo: color, translation, cutout, flip."""
    adversarial_loss: Literal["non_saturating", "hinge", "least_squares", "wasserstein"] = (
        "non_saturating"
    )
    """non_saturating, hinge, least_squares, wasserstein."""
    r1_weight: NonNegative = 10.0
    """Of the discriminators' gradient penalty."""
    r1_every: Interval = 16
    """Updates between penalties; 0: never."""
    r1_place: Literal["before", "after"] = "before"
    """Of a discriminator's own step: published is after, which takes more memory."""
    augment_once: bool = False
    """The generator is judged by what the discriminators saw, as published, not augmented anew."""
    recompute_from: Annotated[int, Field(ge=0, le=1024)] = 64
    """Stages of this resolution and above are computed anew for their gradient; 0: none."""
    average_half_life: Positive = 10000.0
    """Of the averaged generator, in clips."""
    adam_beta_1: Decay = 0.0
    """Of all networks' Adam."""
    adam_beta_2: Decay = 0.99
    """Of all networks' Adam."""

    def __post_init__(self) -> None:
        if not self.frequencies:
            raise ValueError(f"frequencies must be above 0, found {self.frequencies}")
        if self.frequencies != sorted(self.frequencies):
            raise ValueError(f"frequencies must rise, found {self.frequencies}")
        if self.video_discriminator_scale not in (1.0, 0.5, 0.25):
            raise ValueError(
                "video_discriminator_scale must be 1, 0.5 or 0.25, found "
                f"{self.video_discriminator_scale}"
            )
        for resolution in self.widths or ():
            if resolution not in TABLE:
                known = ", ".join(map(str, TABLE))
                raise ValueError(f"widths are of resolutions {known}, found {shown(resolution)}")
        unknown = [policy for policy in self.augment if policy not in POLICIES]
        if unknown:
            raise ValueError(f"augment takes {', '.join(POLICIES)}, found {', '.join(unknown)}")
