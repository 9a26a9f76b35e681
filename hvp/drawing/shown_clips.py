"""Clips as a model will see them, and what looks like a mistake in them."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np

from hvp.data.video_split import VideoSplit
from hvp.drawing.examples import as_bytes
from hvp.text import printable

FAINT = 16  # levels of 255; a clip whose values differ by less is hardly visible


@dataclasses.dataclass
class ShownClip:
    """One window, as the loader gives it.

    Attributes:
        name: of the video.
        first: frame of the video at which the window begins, from 0.
        video_length: frames of the video.
        frames: uint8 `(time, height, width, channels)`.
        masks: object labels, uint8 `(time, height, width)`, where the data set has them.
    """

    name: str
    first: int
    video_length: int
    frames: np.ndarray
    masks: np.ndarray | None = None

    @property
    def place(self) -> str:
        """Such as `frames 101-200 of 360`, counted from 1."""
        last = self.first + len(self.frames)
        return f"frames {self.first + 1}-{last} of {self.video_length}"

    @property
    def values(self) -> str:
        """Range and mean of the pixels, of 0 to 255."""
        frames = self.frames
        return f"values {frames.min()} to {frames.max()}, mean {frames.mean():.0f}"


def shown_clips(split: VideoSplit, split_name: str, count: int) -> list[ShownClip]:
    """Clips from the loader: the first ones that training gets, or some spread over the split.

    Args:
        split: opened for `split_name`.
        count: of clips, at most; a split may have fewer.
    """
    count = min(count, split.num_windows)
    if split_name == "train":
        windows = [int(number) for number in split.training_order()[:count]]
    else:
        windows = [int(n) for n in np.linspace(0, split.num_windows - 1, count).round()]
    clips = []
    for number, batch in zip(
        windows, split.evaluation_batches(1, windows=windows, eight_bit=True), strict=True
    ):
        (frames,) = as_bytes(batch["video"])
        masks = batch["masks"][0].numpy() if "masks" in batch else None
        clips.append(ShownClip(*split.window(number), frames, masks))
    return clips


def suspicions(clips: list[ShownClip]) -> list[str]:
    """What looks like a mistake in the data, one line each."""
    still = [c for c in clips if len(c.frames) > 1 and not np.ptp(c.frames, axis=0).any()]
    faint = [c for c in clips if np.ptp(c.frames) < FAINT]
    first: dict[bytes, ShownClip] = {}
    repeated = [c for c in clips if first.setdefault(_digest(c.frames), c) is not c]
    findings = {
        "do not change from frame to frame": still,
        f"differ by less than {FAINT} of 255 levels, so are hardly visible": faint,
        "equal another one, pixel by pixel": repeated,
    }
    return [
        f"{len(found)} of the {len(clips)} clips shown {what}: "
        + ", ".join(f"{printable(c.name)} {c.place}" for c in found[:3])
        + (", ..." if len(found) > 3 else "")
        for what, found in findings.items()
        if found
    ]


def _digest(frames: np.ndarray) -> bytes:
    """What equal frames have in common, and other ones have not."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(frame.tobytes())
    return digest.digest()
