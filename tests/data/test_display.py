"""Files are shown as they ask: turned, with square pixels, in their range; odd ones are named."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from hvp.data.display import Display
from hvp.data.video_io import display_notes, read_video
from hvp.errors import UserError

# Red at the top left, green at the bottom right, of an upright picture of 32 x 48 pixels.
UPRIGHT = np.full((48, 32, 3), 128, np.uint8)
UPRIGHT[:16, :16], UPRIGHT[32:, 16:] = (255, 0, 0), (0, 255, 0)


def write(path, frame, degrees=0, pixels="yuv420p", full_range=False, aspect=None):
    """Three equal frames, to be turned anticlockwise by `degrees` when they are shown."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "1"})
        stream.height, stream.width, stream.pix_fmt = *frame.shape[:2], pixels
        levels = 2 if full_range else 1
        stream.codec_context.color_range = levels
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if degrees:
            stream.set_display_rotation(degrees)
        rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        for _ in range(3):
            container.mux(stream.encode(rgb.reformat(format=pixels, dst_color_range=levels)))
        container.mux(stream.encode())


def assert_upright(video):
    assert video.shape == (3, *UPRIGHT.shape)
    for rows, columns in ((8, 8), (40, 24), (40, 8), (24, 16)):  # away from edges
        found = video[1, rows - 3 : rows + 3, columns - 3 : columns + 3]
        assert np.abs(found.astype(int) - UPRIGHT[rows, columns]).max() <= 6


@pytest.mark.parametrize(
    ("degrees", "turns", "note"),
    [
        (-90, 1, ["turned by 90 degrees clockwise, as the file asks"]),
        (90, -1, ["turned by 90 degrees anticlockwise, as the file asks"]),
        (180, 2, ["turned by 180 degrees, as the file asks"]),
        (0, 0, []),
    ],
)
def test_rotation(tmp_path, degrees, turns, note):
    path = tmp_path / "phone.mp4"
    write(path, np.rot90(UPRIGHT, turns), degrees)
    assert_upright(read_video(path))
    assert display_notes(path) == note


def test_range_and_depth(tmp_path):
    write(tmp_path / "full.mp4", UPRIGHT, full_range=True)
    write(tmp_path / "deep.mov", UPRIGHT, pixels="yuv420p10le")
    assert_upright(read_video(tmp_path / "full.mp4"))
    assert_upright(read_video(tmp_path / "deep.mov"))
    assert display_notes(tmp_path / "deep.mov") == ["10-bit colours rounded to 8"]


@pytest.mark.parametrize(("aspect", "size"), [((4, 3), (48, 43)), ((1, 2), (96, 32))])
def test_square_pixels(tmp_path, aspect, size):
    write(tmp_path / "wide.mp4", UPRIGHT, aspect=Fraction(*aspect))
    assert read_video(tmp_path / "wide.mp4").shape[1:3] == size
    assert display_notes(tmp_path / "wide.mp4") == [
        f"pixels of {aspect[0] / aspect[1]:.3g}:1 made square"
    ]


def test_mirrors():
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    mirrored = Display(matrix=(-1, 0, 0, 1))
    np.testing.assert_array_equal(mirrored.turned(picture), picture[:, ::-1])
    transposed = Display(matrix=(0, 1, 1, 0))
    np.testing.assert_array_equal(transposed.turned(picture), picture.swapaxes(0, 1))
    assert mirrored.notes() == transposed.notes() == ["mirrored, as the file asks"]


def test_what_is_no_video_has_its_own_line(tmp_path):
    (tmp_path / "page.mp4").write_text("<!DOCTYPE html>\n<title>404 Not Found</title>\n")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        silence.sample_rate = 44100
        container.mux([*stream.encode(silence), *stream.encode()])
    (tmp_path / "deep").mkdir()
    levels = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    for number in range(2):
        Image.fromarray(levels).save(tmp_path / f"deep/{number}.png")
    np.save(tmp_path / "deep.npy", np.stack([levels, levels]))
    np.save(tmp_path / "bytes.npy", np.full((2, 8, 8), 200, np.float32))
    for name, message in (
        ("page.mp4", "is a text file, not a video; it begins with '<!DOCTYPE html> <title>404"),
        ("sound.mp4", "holds sound and no pictures"),
        ("deep", "more than 8 bits a pixel; --set data.sixteen_bit=scale"),
        ("deep.npy", "holds uint16; --set data.sixteen_bit=scale"),
        ("bytes.npy", r"holds float32 from 200.0 to 200.0; .* in \[0, 1\]; divide by 255$"),
    ):
        with pytest.raises(UserError, match=message):
            read_video(tmp_path / name)
    for name in ("deep", "deep.npy"):
        scaled = read_video(tmp_path / name, channels=1, sixteen_bit="scale")
        np.testing.assert_array_equal(scaled[1, ..., 0], np.rint(levels / 257).astype(np.uint8))
