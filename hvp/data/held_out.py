"""Training videos that are held out for validation, where a data set has no `val` of its own.

The choice is made by recordings, of which one may be cut into several clips, and follows from
their names and the seed: training and validation open the data apart and agree.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence

from hvp.data.frame_source import Divided, FrameSource
from hvp.data.generated_videos import GeneratedVideos
from hvp.errors import UserError


def hold_out(
    source: FrameSource, split: str, share: float, seed: int, recording: Callable[[str], str]
) -> FrameSource:
    """What of a training split is for training, or for validation.

    Generated data lose nothing: validation gets videos that training never draws.

    Args:
        source: the whole training split.
        split: `train` or `val`.
        share: of its videos, above 0 and below 1, for validation; at least one recording.
        seed: of the choice.
        recording: names the recording of a video; those of one stay together.

    Raises:
        UserError: if nothing would be left to train on.
    """
    if isinstance(source, GeneratedVideos):
        return source if split == "train" else source.never_trained_on(share)
    held = held_out_recordings([recording(name) for name in source.names], share, seed)
    return Divided(
        {"train": source}, lambda name, own: (recording(name) in held) == (split == "val")
    )


def held_out_recordings(recordings: Sequence[str], share: float, seed: int) -> set[str]:
    """The recordings that are held out.

    Args:
        recordings: that of each video.
        share, seed: as of `hold_out`.
    """
    videos = Counter(recordings)
    if len(videos) < 2:
        raise UserError(
            f"data.validation_share is {share:g}, but the training videos are of one recording, "
            f"{next(iter(videos))!r}: --set data.validation_share=0 validates on the test videos; "
            "or add more"
        )
    held: set[str] = set()
    for name in sorted(videos, key=lambda name: _rank(name, seed))[:-1]:
        if held and sum(videos[h] for h in held) + videos[name] / 2 > share * len(recordings):
            break
        held.add(name)
    return held


def _rank(name: str, seed: int) -> bytes:
    text = f"{seed}/{name}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).digest()
