"""The panels of a comparison video."""

from __future__ import annotations

import numpy as np
from PIL import Image

from hvp.drawing.comparison import comparison_frames, save_grid
from hvp.drawing.examples import Example


def test_panels_of_a_comparison():
    """Truth, then each sample, in every frame; grey where the video has ended."""
    truth = np.zeros((3, 32, 32, 1), np.uint8) + np.array([50, 60, 70], np.uint8).reshape(
        3, 1, 1, 1
    )
    samples = np.zeros((2, 2, 32, 32, 1), np.uint8)
    samples += np.array([[100, 110], [200, 210]], np.uint8).reshape(2, 2, 1, 1, 1)
    shown = list(comparison_frames(Example("clip", truth, samples, None), context=2))
    middle = [[int(f[80, 60 + 108 * n, 0]) for n in range(3)] for f in shown]
    assert middle == [[50, 50, 50], [60, 60, 60], [70, 100, 200], [208, 110, 210]]


def test_one_prediction_is_one_row(tmp_path):
    frames = np.zeros((1, 2, 32, 32, 1), np.uint8)
    heights = []
    for count in (1, 2):
        example = Example("clip", np.zeros((3, 32, 32, 1), np.uint8), frames.repeat(count, 0), None)
        save_grid(example, 1, tmp_path / "grid.png")
        heights.append(Image.open(tmp_path / "grid.png").height)
    assert heights[1] - heights[0] >= 32
