"""How many features the networks have at each resolution: StyleGAN2's tables."""

from __future__ import annotations

# Renderer and discriminators of frames; the video discriminators have these of twice the size.
TABLE = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64, 1024: 32}


def frame_widths(width: float) -> dict[int, int]:
    """Resolution -> features of networks of frames, times `width`."""
    return {resolution: max(1, round(count * width)) for resolution, count in TABLE.items()}


def video_widths(width: float) -> dict[int, int]:
    """Resolution -> features of the 3-D networks, times `width`."""
    halves = {4: TABLE[4]} | {resolution // 2: TABLE[resolution] for resolution in list(TABLE)[2:]}
    return {resolution: max(1, round(count * width)) for resolution, count in halves.items()}
