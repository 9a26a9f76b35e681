"""What TensorBoard shows is labelled."""

from __future__ import annotations

import numpy as np

from hvp.drawing.frames import CONTEXT_COLOUR, PREDICTION_COLOUR
from hvp.drawing.training import labelled


def test_columns_are_named_and_frames_coloured_as_in_the_report():
    frames = np.zeros((6, 30, 3 * 20 + 2 * 2, 1), np.uint8)
    shown = labelled(frames, num_samples=1, context=2)
    scale = 3  # columns of 22 pixels, for names of 56
    assert shown.shape == (6, 30 * scale + 19, 64 * scale, 3)
    line = shown[:, 17, 10]
    assert {tuple(colour) for colour in line[:2]} == {CONTEXT_COLOUR}
    assert {tuple(colour) for colour in line[2:]} == {PREDICTION_COLOUR}
    for column in range(3):
        name = shown[0, :16, column * 66 : column * 66 + 60]
        assert name.min() < 100
    assert shown[:, 19:].max() == 0
