"""Videos that cannot be used: what is said of them, and what can be done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hvp.data.frame_source import FrameSource
from hvp.errors import UserError
from hvp.text import one_line

NAMED_IN_ERRORS = 5


class UnusableVideos(UserError):
    """Videos that are broken or too short, with settings that would get on.

    Args:
        found: which, and why.
        left: whether any other videos are left.
        longest: frames of the longest of those that are too short, 0 without such.
        others_shorter: whether some are shorter than that.
        salvaged: whether something decodes of those that are broken.
        section: of the settings: `data`, or `evaluation`.
    """

    def __init__(
        self,
        found: str,
        left: bool,
        longest: int,
        others_shorter: bool,
        salvaged: bool,
        section: str = "data",
    ):
        self.facts = (found, left, longest, others_shorter, salvaged)
        skip = f"--set {section}.unusable_videos=skip"
        remedies = []
        if left:
            remedies.append(f"{skip} leaves them out")
        elif longest:
            shorter = f"--set {section}.seq_len={longest}"
            remedies.append(f"{shorter} {skip}" if others_shorter else shorter)
            remedies[-1] += " uses the longest"
        if salvaged:
            remedies.append(f"--set {section}.unusable_videos=salvage uses what decodes")
        super().__init__(". ".join([found, *filter(None, [", ".join(remedies)])]))

    def of_section(self, section: str) -> UnusableVideos:
        """The same, with the settings of another section."""
        return UnusableVideos(*self.facts, section)


def report_skipped(
    source: FrameSource,
    total: int,
    unusable_videos: str,
    root: Path,
    short: Sequence[int] = (),
    salvaged: Callable[[], bool] = lambda: False,
) -> None:
    """Refuses what is in `source.skipped`, or with `unusable_videos` = `skip` says it.

    Args:
        short: windows' worth of frames of those that are too short.
        salvaged: tells whether something decodes of those that are broken.

    Raises:
        UnusableVideos: for `error`, and where nothing is left.
    """
    if not source.skipped:
        return
    count = f"{len(source.skipped)} of {total} videos in {root} cannot be used"
    listed = some_of(source.skipped)
    left = bool(source.names)
    if unusable_videos != "error" and left:
        print(f"left out: {one_line(f'{count}: {listed}')}", file=sys.stderr)
        return
    found = (
        f"{count}: {listed}"
        if unusable_videos == "error"
        else f"{count}, so none is left: {listed}"
    )
    longest = max(short, default=0)
    shorter = longest > 0 and (min(short) < longest or len(short) < len(source.skipped))
    helps = unusable_videos == "error" and salvaged()
    raise UnusableVideos(found, left, longest, shorter, helps)


def some_of(problems: Sequence[str]) -> str:
    """The first problems, and how many more there are, in one line."""
    more = len(problems) - NAMED_IN_ERRORS
    listed = "; ".join(problems[:NAMED_IN_ERRORS])
    return f"{listed}; and {more} more" if more > 0 else listed


def too_short(name: object, frames: int, needed: int) -> str:
    """What is said of a video with fewer frames than a window needs."""
    has = "is a single picture" if frames == 1 else f"has {frames} frames"
    return f"{name}: {has}, {needed} are needed"
