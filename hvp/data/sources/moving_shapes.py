"""The motion GAN's toy set: shapes of several speeds (Hyun et al., IEEE TIP 2023).

Generated on the fly: 64x64, RGB, training videos fresh in every epoch, test videos always the same.
Three objects on black, in columns 16, 32 and 48, move up and down at 2, 4 or 8 pixels a frame.
Protocol: clips of 16 frames. `python -m hvp prepare moving_shapes --out DIR` stores a set.

Rules: shape, colour (100 to 254 in each channel), speed, start row (4 to 59) and direction are
uniform and independent. At a wall the direction flips and the object is placed one full step away
from the wall, however far it would have gone beyond.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hvp.config import DataConfig
from hvp.data.data_set import DataSet, Preparation
from hvp.data.generated_videos import GeneratedVideos

CANVAS = 64
COLUMNS = (16, 32, 48)
RADIUS = 4  # rows of a centre: from this to CANVAS - this
SPEEDS = (2, 4, 8)
SHAPES = ("circle", "square", "triangle")
TEST_SEED = 10183834

_BOX = 11  # stencils are this wide and high, the centre in the middle
# First and last column of each row from -4 to 4, around the centre.
_SPANS: dict[str, list[tuple[int, int] | None]] = {
    "circle": [(0, 0), (-2, 2), (-3, 3), (-3, 3), (-4, 4), (-3, 3), (-3, 3), (-2, 2), (0, 0)],
    "square": [None, *[(-3, 3)] * 7, None],
    "triangle": [(0, 0), (-1, 1), (-1, 1), (-2, 2), (-2, 2), (-3, 3), (-3, 3), (-4, 4), (-4, 4)],
    # At the lower border the original's rasteriser clips the triangle's edges before it fills it.
    "triangle at the border": [
        (0, 0),
        (-1, 1),
        (-2, 1),
        (-2, 2),
        (-3, 2),
        (-3, 3),
        (-4, 3),
        (-4, 4),
        None,
    ],
}


class MovingShapes(DataSet):
    name = "moving_shapes"
    preparation = Preparation(CANVAS, CANVAS, 3)
    protocol = "clips of 16 frames"
    generated = True
    stored = False
    advice = (
        "make one by python -m hvp prepare moving_shapes --out DIR, or set data.datadir to null: "
        "moving_shapes are generated"
    )

    def generate(self, config: DataConfig, split: str, seq_len: int, seed: int) -> RandomShapes:
        """Videos that `draw_parameters` and `render` make."""
        return RandomShapes(config, split, seq_len, seed)


def draw_parameters(random: np.random.Generator) -> dict[str, np.ndarray]:
    """Random parameters of one video, as `render` takes them."""
    count = len(COLUMNS)
    rows = random.integers(RADIUS, CANVAS - RADIUS, size=count)
    return {
        "start_xy": np.stack([np.array(COLUMNS), rows], axis=1),
        "direction": random.choice([-1, 1], size=count),
        "shape": random.integers(len(SHAPES), size=count),
        "color": random.integers(100, 255, size=(count, 3)),
        "speed": random.choice(SPEEDS, size=count),
    }


def render(parameters: Mapping[str, np.ndarray], num_frames: int) -> np.ndarray:
    """Draws a video, or several.

    Args:
        parameters: integers by name, with one entry an object, and one a video before that if there
            are several: `start_xy` `(..., objects, 2)` (column, row), `direction` `(..., objects)`
            1 or -1, `shape` `(..., objects)` numbering `SHAPES`, `color` `(..., objects, 3)`,
            `speed` `(..., objects)` in pixels a frame.
        num_frames: of each video.

    Returns:
        uint8 `(..., num_frames, 64, 64, 3)`.
    """
    parameters = {name: np.asarray(values) for name, values in parameters.items()}
    if parameters["start_xy"].ndim == 3:
        each = [
            {name: values[i] for name, values in parameters.items()}
            for i in range(len(parameters["start_xy"]))
        ]
        return np.stack([render(one, num_frames) for one in each])
    # A margin around the canvas takes what stencils paint beyond it.
    margin = _BOX // 2
    frames = np.zeros((num_frames, CANVAS + 2 * margin, CANVAS + 2 * margin, 3), np.uint8)
    for i, (x, y) in enumerate(parameters["start_xy"].tolist()):
        rows = _rows(y, int(parameters["speed"][i]), int(parameters["direction"][i]), num_frames)
        for frame, row in zip(frames, rows, strict=True):
            mask = _stencil(int(parameters["shape"][i]), row)
            frame[row : row + _BOX, x : x + _BOX][mask] = parameters["color"][i]
    return frames[:, margin:-margin, margin:-margin]


def _rows(row: int, speed: int, direction: int, num_frames: int) -> list[int]:
    """The row of an object's centre in every frame."""
    rows, lowest = [], CANVAS - RADIUS
    for _ in range(num_frames):
        rows.append(row)
        step = speed * direction
        if row + step > lowest:
            direction, row = -direction, lowest - step
        elif row + step < RADIUS:
            direction, row = -direction, RADIUS - step
        else:
            row += step
    return rows


def _stencil(shape: int, row: int) -> np.ndarray:
    """The pixels of a shape around its centre in `row`, bool `(11, 11)`."""
    mask = np.zeros((_BOX, _BOX), bool)
    name = SHAPES[shape]
    if name == "triangle" and row == CANVAS - RADIUS:
        name = "triangle at the border"
    for y, span in enumerate(_SPANS[name], start=_BOX // 2 - RADIUS):
        if span is not None:
            mask[y, _BOX // 2 + span[0] : _BOX // 2 + span[1] + 1] = True
    return mask


class RandomShapes(GeneratedVideos):
    """Random shapes."""

    test_seed = TEST_SEED

    def draw(self, random: np.random.Generator, num_frames: int) -> np.ndarray:
        return render(draw_parameters(random), num_frames)
