"""Contact sheets and GIFs of clips: what is on them."""

from __future__ import annotations

import numpy as np
from PIL import Image

from hvp.data.video_io import read_video
from hvp.drawing.contact_sheet import save_clips_gif, save_contact_sheet
from hvp.drawing.shown_clips import ShownClip


def colours(image):
    return {tuple(int(v) for v in pixel) for pixel in image.reshape(-1, 3)}


def test_sheet_and_gif_show_every_frame(tmp_path):
    """Frames of plain colours of their own, so that they are found again."""
    frames = np.zeros((2, 6, 40, 60, 3), np.uint8)
    frames[..., 0] = (10 * np.arange(6))[:, None, None]
    frames[1, ..., 1] = 77
    clips = [ShownClip(f"video {i}\udcff\n" * 9, 0, 6, clip) for i, clip in enumerate(frames)]
    every = {(10 * t, green, 0) for t in range(6) for green in (0, 77)}
    save_contact_sheet(clips, "title", tmp_path / "sheet.png", context=2)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert every <= colours(sheet)
    assert {(37, 99, 235), (217, 119, 6)} <= colours(sheet)  # context, to be predicted
    save_clips_gif(clips, tmp_path / "clips.gif")
    gif = read_video(tmp_path / "clips.gif")
    assert len(gif) == 6
    for t, frame in enumerate(gif):
        assert {(10 * t, 0, 0), (10 * t, 77, 0)} <= colours(frame)


def test_masks_and_large_frames(tmp_path):
    frames = np.full((2, 200, 400, 1), 100, np.uint8)
    masks = np.zeros((2, 200, 400), np.uint8)
    masks[:, :100] = 1
    save_contact_sheet([ShownClip("a", 0, 2, frames, masks)], "title", tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape[1] == 480
    blue = tuple(round(0.4 * 100 + 0.6 * value) for value in (31, 119, 180))
    pixels = sheet.reshape(-1, 3).tolist()
    assert pixels.count(list(blue)) == 2 * 48 * 192  # half of each reduced frame
    assert pixels.count([100, 100, 100]) == 2 * 3 * 48 * 192
