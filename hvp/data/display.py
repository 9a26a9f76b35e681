"""How a video file asks to be shown: turned, with pixels that are no squares, in more than 8 bits.

Colours need nothing of ours: the conversion to RGB follows the file's own range (full or limited)
and matrix (BT.601, BT.709, ...), and rounds deeper samples to 8 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

RIGHT_ANGLE = 0.02  # sines and cosines that differ less from 0 and 1 are of right angles
PQ, HLG = 16, 18  # transfer characteristics of high dynamic range (ITU-T H.273)


class Display(NamedTuple):
    """What is done to the frames of a file as they are decoded.

    Attributes:
        matrix: `(a, b, c, d)` of -1, 0 and 1: what is stored at column x and row y is shown at
            column `a x + c y` and row `b x + d y`, up to a shift.
        aspect: width of a pixel over its height.
        bits: of a sample.
        high_range: brightness is encoded beyond what a screen shows.
    """

    matrix: tuple[int, int, int, int] = (1, 0, 0, 1)
    aspect: float = 1.0
    bits: int = 8
    high_range: bool = False

    def picture(self, frame: Any, reformat: Callable[..., Any]) -> np.ndarray:
        """A decoded frame as it is shown: uint8 `(height, width, 3)`.

        Args:
            reformat: from width, height and a format to the frame in these.
        """
        width, height = self.size(frame.width, frame.height)
        return self.turned(reformat(width, height, "rgb24").to_ndarray())

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height with square pixels, none of them less, before turning."""
        if self.aspect >= 1:
            return round(width * self.aspect), height
        return width, round(height / self.aspect)

    def turned(self, frame: np.ndarray) -> np.ndarray:
        """A frame `(height, width, channels)` as it is to be shown."""
        a, b, c, d = self.matrix
        x_from, y_from = (c, b) if not a else (a, d)
        if not a:
            frame = frame.swapaxes(0, 1)
        return np.ascontiguousarray(frame[::y_from, ::x_from])

    def notes(self) -> list[str]:
        """What is done, in words; nothing for most files."""
        found = []
        a, b, c, _ = self.matrix
        if self.matrix != (1, 0, 0, 1):
            turns = {(0, 1, -1): "90 degrees clockwise", (0, -1, 1): "90 degrees anticlockwise"}
            turn = turns.get((a, b, c), "180 degrees" if self.matrix == (-1, 0, 0, -1) else "")
            how = f"turned by {turn}" if turn else "mirrored"
            found.append(f"{how}, as the file asks")
        if self.aspect != 1:
            found.append(f"pixels of {self.aspect:.3g}:1 made square")
        if self.bits > 8:
            found.append(f"{self.bits}-bit colours rounded to 8")
        if self.high_range:
            found.append("high dynamic range taken as it is, which looks pale")
        return found


def display_of(stream: Any, frame: Any) -> Display:
    """How the frames of a PyAV stream are shown, from its first frame."""
    ratio = stream.sample_aspect_ratio
    aspect = float(ratio) if ratio else 1.0
    bits = max(component.bits for component in frame.format.components)
    return Display(
        _matrix(frame),
        aspect if 0.1 < aspect < 10 else 1.0,
        int(bits),
        int(frame.color_trc) in (PQ, HLG),
    )


def _matrix(frame: Any) -> tuple[int, int, int, int]:
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            values = np.frombuffer(data, np.int32)[[0, 1, 3, 4]].astype(float)
            values /= np.hypot(values[0], values[1]) or 1.0
            a, b, c, d = (int(value) for value in np.rint(values))
            if np.abs(values - (a, b, c, d)).max() < RIGHT_ANGLE and abs(a * d - b * c) == 1:
                return a, b, c, d
    return 1, 0, 0, 1
