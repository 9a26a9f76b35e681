"""The protocols of FVD: how many clips, of which frames.

The named ones are those of StyleGAN-V (Skorokhodov et al., CVPR 2022). Importing this does not
import TensorFlow.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

from hvp.errors import UserError

MIN_FRAMES = 9  # with fewer, less than the two steps in time are left that I3D's last pooling takes
FORMS = "i3d, small, a .keras file, the folder of a SavedModel, or module:function"
"""What `--features` takes; see `hvp.distances.embedding`."""
_NAME = re.compile(r"fvd(\d+)_(\d+)f(?:_subsample(\d+)f)?")
_FORM = "fvdN_Ff or fvdN_Ff_subsampleSf: N videos, F frames, every S-th of them"


@dataclasses.dataclass(frozen=True)
class VideoProtocol:
    """How many clips of how many frames are compared.

    Attributes:
        num_videos: clips of each of the two sets.
        span: consecutive frames of a video that a clip covers; shorter videos are left out.
        stride: every stride-th of them is seen.
        context: `("in", n)` or `("out", n)` for a predictor that was shown n frames: whether the
            clips hold them.
    """

    num_videos: int
    span: int
    stride: int = 1
    context: tuple[Literal["in", "out"], int] | None = None

    @property
    def num_frames(self) -> int:
        """Frames of a clip, as the network sees them."""
        return len(range(0, self.span, self.stride))

    @property
    def name(self) -> str:
        parts = [f"fvd{self.num_videos}_{self.span}f"]
        if self.stride != 1:
            parts.append(f"subsample{self.stride}f")
        if self.context is not None:
            where, frames = self.context
            parts.append(f"context{frames}{where}")
        return "_".join(parts)


# StyleGAN-V's.
VIDEO_PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        VideoProtocol(2048, 16),
        VideoProtocol(2048, 128),
        VideoProtocol(2048, 128, stride=8),
    )
}


def find_video_protocol(name: str, min_frames: int = MIN_FRAMES) -> VideoProtocol:
    """The protocol of a name: one of `VIDEO_PROTOCOLS` or any other of their form.

    Args:
        name: such as `fvd2048_16f`.
        min_frames: that the features need; I3D's by default.

    Raises:
        UserError: for another form, fewer than two videos or too few frames.

    Example:
        >>> find_video_protocol("fvd256_32f_subsample2f").num_frames
        16
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise UserError(
            f"unknown FVD protocol {name!r}; valid: {', '.join(VIDEO_PROTOCOLS)}, or any other of "
            f"the form {_FORM}"
        )
    num_videos, span, stride = (int(group or 1) for group in match.groups())
    if num_videos < 2 or stride < 1:
        raise UserError(f"FVD protocol {name}: at least 2 videos and a subsampling of at least 1")
    protocol = VideoProtocol(num_videos, span, stride)
    try:
        check_frames(protocol.num_frames, min_frames)
    except UserError as error:
        raise UserError(f"FVD protocol {name}: {error}") from None
    return protocol


def check_frames(num_frames: int, min_frames: int = MIN_FRAMES) -> None:
    """Raises a `UserError` for clips that are too short for the network."""
    if num_frames < min_frames:
        raise UserError(
            f"FVD needs clips of at least {min_frames} frames, found {num_frames}; ask for more "
            "frames or a smaller stride"
        )
