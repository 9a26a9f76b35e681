"""GIFs written frame by frame are those that Pillow writes of all frames at once."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from hvp.data.gif_files import encode_gif


def by_pillow(frames, fps):
    images = [Image.fromarray(frame[..., 0], mode="L") for frame in frames]
    buffer = io.BytesIO()
    images[0].save(
        buffer, format="GIF", save_all=True, append_images=images[1:],
        duration=max(20, round(1000 / fps)), loop=0, disposal=1, optimize=False,
    )  # fmt: skip
    return buffer.getvalue()


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("fps", [10, 100])
def test_bytes_are_those_of_pillow(count, fps):
    noise = np.random.default_rng(0).integers(0, 256, (count, 9, 14, 1), np.uint8)
    still = noise[:1].repeat(count, 0)
    moved, pairs = still.copy(), noise[: -(-count // 2)].repeat(2, 0)[:count]
    moved[count // 2 :, 2:4, 3:7] = 200
    for video in (noise, still, moved, pairs):
        assert encode_gif(video, fps) == by_pillow(video, fps)


class Counted:
    """A long video whose frames are made when they are asked for."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        if number >= self.count:
            raise IndexError(number)
        return np.full((4, 4, 3), 200 if number % 3 else 0, np.uint8)


def test_frames_may_be_drawn_on_demand():
    gif = Image.open(io.BytesIO(encode_gif(Counted(320), 10)))
    assert gif.n_frames == 214  # of two equal ones in a row, one stands for both
    gif.seek(211)
    assert (gif.info["duration"], np.asarray(gif.convert("RGB")).min()) == (200, 200)
