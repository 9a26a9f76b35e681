"""The `model` section of the frequency-based motion GAN."""

from __future__ import annotations

import dataclasses
from typing import Literal

from hvp.models.motion_gan.widths import TABLE

POLICIES = ("color", "translation", "cutout", "flip")


@dataclasses.dataclass(frozen=True)
class MotionGANConfig:
    """Settings of `MotionGAN`; the defaults are the published ones."""

    family: Literal["motion_gan"] = "motion_gan"
    video_length: int = 16  # frames of a training clip, which spans times -1 to 1
    content_dim: int = 512
    motion_dim: int = 512
    content_layers: int = 8  # dense layers of the code's mapping
    motion_layers: int = 2
    frequencies: list[float] = dataclasses.field(default_factory=lambda: [7.0])
    width_factor: float = 1.0  # times StyleGAN2's table of features, of all networks
    widths: dict[int, int] | None = None  # resolution: features of the renderer, not the table's
    image_discriminator: Literal["image", "patch_image"] = "image"
    video_discriminator: Literal["video", "patch_video", "pair"] = "patch_video"
    video_discriminator_scale: float = 0.5  # videos are averaged down to this for it
    images_per_video: int = 2  # clips that give a frame, for each one that is seen as a video
    augment: list[str] = dataclasses.field(default_factory=lambda: list(POLICIES))
    adversarial_loss: Literal["non_saturating", "hinge", "least_squares", "wasserstein"] = (
        "non_saturating"
    )
    r1_weight: float = 10.0
    r1_every: int = 16  # updates; 0: never
    average_half_life: float = 10000.0  # of the averaged generator, in clips
    adam_beta_1: float = 0.0
    adam_beta_2: float = 0.99

    def __post_init__(self) -> None:
        least = {
            "video_length": 2,
            "content_dim": 1,
            "motion_dim": 2,
            "content_layers": 1,
            "motion_layers": 1,
            "images_per_video": 1,
            "r1_every": 0,
            "r1_weight": 0,
        }
        for name, lowest in least.items():
            if not lowest <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be at least {lowest}, found {getattr(self, name)}")
        if not self.frequencies or not all(0 < f < float("inf") for f in self.frequencies):
            raise ValueError(f"frequencies must be above 0, found {self.frequencies}")
        if list(self.frequencies) != sorted(self.frequencies):
            raise ValueError(f"frequencies must rise, found {self.frequencies}")
        for name in ("width_factor", "average_half_life"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be above 0, found {getattr(self, name)}")
        if self.video_discriminator_scale not in (1.0, 0.5, 0.25):
            raise ValueError(
                "video_discriminator_scale must be 1, 0.5 or 0.25, found "
                f"{self.video_discriminator_scale}"
            )
        if self.widths is not None:
            given = {int(resolution): count for resolution, count in self.widths.items()}
            object.__setattr__(self, "widths", given)
            for resolution, count in given.items():
                if resolution not in TABLE:
                    known = ", ".join(map(str, TABLE))
                    raise ValueError(f"widths are of resolutions {known}, found {resolution}")
                if count < 1:
                    raise ValueError(f"widths must be at least 1, found {count} at {resolution}")
        unknown = [policy for policy in self.augment if policy not in POLICIES]
        if unknown:
            raise ValueError(f"augment takes {', '.join(POLICIES)}, found {', '.join(unknown)}")
        for name in ("adam_beta_1", "adam_beta_2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be from 0 to below 1, found {getattr(self, name)}")
