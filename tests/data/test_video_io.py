"""Reading and writing videos."""

from __future__ import annotations

import gc
import io
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest
from broken_inputs import write_video
from PIL import Image

from hvp.data.decoding import decoded_frames
from hvp.data.gif_files import encode_gif, write_gif
from hvp.data.video_io import fit_frame, read_video, write_mp4
from hvp.errors import UserError


def moving_bar(frames=12, height=24, width=32, channels=3):
    """A bright bar that walks over a gradient."""
    video = np.zeros((frames, height, width, channels), np.uint8)
    video += np.linspace(0, 120, width).astype(np.uint8)[None, None, :, None]
    for t in range(frames):
        video[t, :, 2 * t : 2 * t + 4] = 220
    return video


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mov", ".mkv"])
def test_video_files_keep_every_frame(tmp_path, suffix):
    video = moving_bar()
    path = tmp_path / f"clip{suffix}"
    write_mp4(path, video, fps=25, quality=1)
    read = read_video(path)
    assert read.shape == video.shape
    assert np.abs(read.astype(int) - video).mean() < 3  # chroma is stored at half the resolution


def test_webm(tmp_path):
    path = tmp_path / "vp8.webm"
    write_video(path, moving_bar(height=32))
    assert read_video(path).shape == (12, 32, 32, 3)


def test_grey_gif_is_exact_and_rgb_is_near(tmp_path):
    grey = moving_bar(channels=1)
    write_gif(tmp_path / "grey.gif", grey)
    np.testing.assert_array_equal(read_video(tmp_path / "grey.gif", channels=1), grey)
    colour = moving_bar()
    colour[..., 2] = 255 - colour[..., 2]
    write_gif(tmp_path / "colour.gif", colour)
    assert np.abs(read_video(tmp_path / "colour.gif").astype(int) - colour).mean() < 4
    gif = Image.open(io.BytesIO(encode_gif(colour, fps=10)))
    assert (gif.n_frames, gif.info["duration"], gif.info["loop"]) == (12, 100, 0)


def test_arrays(tmp_path):
    video = moving_bar(channels=1)
    np.save(tmp_path / "a.npy", video[..., 0])
    np.save(tmp_path / "b.npy", (video / 255).astype(np.float32))
    np.savez(tmp_path / "c.npz", video)
    for name in ("a.npy", "b.npy", "c.npz"):
        np.testing.assert_array_equal(read_video(tmp_path / name), video)


def test_frame_folders_are_in_natural_order(tmp_path):
    video = moving_bar()
    for t, frame in enumerate(video):
        Image.fromarray(frame).save(tmp_path / f"frame{t}.png")
    np.testing.assert_array_equal(read_video(tmp_path), video)


def test_real_clips_have_all_their_frames(shared_file):
    """A reader that resamples to a constant rate returns 165 and 160 for the first two."""
    counts = {
        "ucf101/v_ApplyEyeMakeup_g01_c01.avi": 164,
        "ucf101/v_Bowling_g01_c01.avi": 159,
        "ucf101/v_CricketShot_g04_c01_rgb.gif": 79,
        "kth/person01_boxing_d1_uncomp.avi": 360,
        "moving_mnist/mnist_test_seq.mov": 20,
        "davis2016/JPEGImages/480p/car-shadow": 40,
    }
    data = shared_file("data", "that published videos are read whole")
    for name, frames in counts.items():
        assert read_video(data / name, 32, 32, 1).shape == (frames, 32, 32, 1), name


def test_sizes_and_channels(tmp_path):
    np.save(tmp_path / "a.npy", moving_bar())
    assert read_video(tmp_path / "a.npy", 12, 16, 1, max_frames=5).shape == (5, 12, 16, 1)
    assert read_video(tmp_path / "a.npy", 48, 64).shape == (12, 48, 64, 3)
    checkers = np.kron([[0, 255], [255, 0]], np.ones((2, 2))).astype(np.uint8)[..., None]
    np.testing.assert_array_equal(fit_frame(checkers, 2, 2, 1)[..., 0], [[0, 255], [255, 0]])
    assert fit_frame(checkers, 1, 1, 1)[0, 0, 0] in (127, 128)  # the average of the area
    red = np.zeros((1, 1, 3), np.uint8)
    red[..., 0] = 255
    assert fit_frame(red, None, None, 1)[0, 0, 0] == 76  # luma
    assert fit_frame(red[..., :1], None, None, 3).tolist() == [[[255, 255, 255]]]


def test_odd_sizes_cannot_be_encoded(tmp_path):
    with pytest.raises(UserError, match="must be even"):
        write_mp4(tmp_path / "a.mp4", moving_bar(width=33))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("missing.avi", None, "no such video"),
        ("empty.mp4", b"", "is empty"),
        ("text.avi", b"these are words, not frames\n" * 50, "is a text file, not a video"),
        ("text.gif", b"these are words", "is a text file, not a video"),
        ("cut.gif", b"GIF89a but no more", "damaged or cut off"),
        ("text.npy", b"words", "cannot be read as an array"),
        ("text.npz", b"PK\x03\x04 words", "cannot be read as an array"),
    ],
)
def test_what_is_no_video_is_named(tmp_path, name, content, expected):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=expected) as caught:
        read_video(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folders_and_arrays_that_do_not_fit(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="holds no frames"):
        read_video(tmp_path / "folder")
    (tmp_path / "folder/a.png").write_bytes(b"\x89PNG nothing")
    with pytest.raises(UserError, match=r"a\.png: cannot be decoded as an image"):
        read_video(tmp_path / "folder")
    wrong = [np.zeros((4, 4)), np.zeros((2, 4, 4, 5)), np.full((2, 4, 4), 9.0)]
    wrong += [np.zeros((2, 0, 4)), np.full((2, 4, 4), np.nan), np.full((2, 4, 4), "word")]
    for array in wrong:
        np.save(tmp_path / "a.npy", array)
        with pytest.raises(UserError, match=r"a\.npy"):
            read_video(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(UserError, match="cannot be read as an array"):
        read_video(tmp_path / "a.npy")
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for i, size in enumerate((4, 6)):
        Image.new("RGB", (size, size)).save(mixed / f"{i}.png")
    with pytest.raises(UserError, match="frame 1 has shape"):
        read_video(mixed)


def write(path, video):
    """Writes a video as its suffix says."""
    if path.suffix == ".gif":
        write_gif(path, video[..., :1])
    elif path.suffix == ".webm":
        write_video(path.with_name("vp8.webm"), video)
        path.with_name("vp8.webm").rename(path)
    elif path.suffix == ".npy":
        np.save(path, video)
    elif path.suffix == ".npz":
        np.savez_compressed(path, video)
    else:
        write_mp4(path, video, quality=5)


EVERY_SUFFIX = [".avi", ".mp4", ".mov", ".mkv", ".webm", ".gif", ".npy", ".npz"]


@pytest.mark.parametrize("suffix", EVERY_SUFFIX)
def test_cut_files_never_pass_as_shorter_ones(tmp_path, suffix):
    """Wherever it is cut: all frames, or one line that names the file."""
    whole = tmp_path / f"whole{suffix}"
    write(whole, moving_bar(frames=15))
    assert len(read_video(whole)) == 15
    content = whole.read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    path = tmp_path / f"cut{suffix}"
    for length in (
        1,
        5,
        len(content) // 2,
        len(content) - 1,
        *random.integers(len(content), size=9),
    ):
        path.write_bytes(content[:length])
        try:
            assert len(read_video(path)) == 15
        except UserError as error:
            refused += 1
            assert str(path) in str(error)
            assert "\n" not in str(error)
    assert refused >= 6


@pytest.mark.parametrize("suffix", EVERY_SUFFIX)
def test_flipped_bytes_give_frames_or_one_line(tmp_path, suffix):
    whole = tmp_path / f"whole{suffix}"
    write(whole, moving_bar(frames=15))
    content = whole.read_bytes()
    random = np.random.default_rng(0)
    path = tmp_path / f"flipped{suffix}"
    refused = 0
    for i in range(16):
        damaged = bytearray(content)
        # Every other time only where the headers are.
        for place in random.integers(200 if i % 2 else len(content), size=10):
            damaged[place] ^= random.integers(1, 256)
        path.write_bytes(damaged)
        try:
            frames = read_video(path)
        except UserError as error:
            refused += 1
            assert str(path) in str(error)
            assert "\n" not in str(error)
        else:
            # Only these declare no number of frames.
            assert len(frames) == 15 or suffix in (".mkv", ".webm", ".gif")
    assert refused >= 3


def test_matroska_recorded_live_has_no_length(tmp_path):
    whole = tmp_path / "a.mkv"
    write(whole, moving_bar())
    content = whole.read_bytes()
    place = content.index(b"\x18\x53\x80\x67") + 4
    whole.write_bytes(content[:place] + b"\x01" + b"\xff" * 7 + content[place + 8 :])
    assert len(read_video(whole)) == 12


def test_one_frame_and_none(tmp_path):
    for suffix in EVERY_SUFFIX:
        write(tmp_path / f"one{suffix}", moving_bar(frames=1))
        assert len(read_video(tmp_path / f"one{suffix}")) == 1
    with pytest.raises(ValueError, match="no frames"):
        write_mp4(tmp_path / "none.mp4", [])
    np.save(tmp_path / "none.npy", np.zeros((0, 8, 8), np.uint8))
    with pytest.raises(UserError, match=r"none\.npy: holds no frames"):
        read_video(tmp_path / "none.npy")


def test_deep_frames_are_refused_rather_than_clipped(tmp_path):
    Image.fromarray(np.full((8, 8), 5000, np.uint16)).save(tmp_path / "0.png")
    with pytest.raises(UserError, match=r"0\.png: has more than 8 bits"):
        read_video(tmp_path)


def test_frames_hidden_by_an_edit_list_are_not_missing(tmp_path):
    """As in MP4 files that were cut without encoding again; really missing ones are told still."""
    write(tmp_path / "whole.mp4", moving_bar(frames=15))
    cut = tmp_path / "cut.mp4"
    with (
        av.open(str(tmp_path / "whole.mp4")) as source,
        av.open(str(cut), "w", options={"movflags": "faststart"}) as target,
    ):
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        earlier = int(4 / 25 / stream.time_base)  # four frames begin before zero
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.pts -= earlier
                packet.dts -= earlier
                packet.stream = copy
                target.mux(packet)
    with av.open(str(cut)) as container:
        assert container.streams.video[0].frames == 15
    frames = read_video(cut)
    np.testing.assert_array_equal(frames, read_video(tmp_path / "whole.mp4")[4:])
    cut.write_bytes(cut.read_bytes()[:-300])
    with pytest.raises(UserError, match=r"cut\.mp4"):
        read_video(cut)


def test_libav_is_as_talkative_afterwards_as_before(tmp_path):
    """Its level of messages is the process's; threads that decode at a time share it."""
    write_gif(tmp_path / "a.gif", np.zeros((4, 8, 8, 1), np.uint8))
    assert av.logging.get_level() is None
    first, second = (decoded_frames(tmp_path / "a.gif") for _ in range(2))
    next(first), next(second)
    first.close()  # as a reader does that has the frames it wants
    assert av.logging.get_level() == av.logging.ERROR
    second.close()
    assert av.logging.get_level() is None
    with ThreadPoolExecutor(4) as pool:
        videos = list(pool.map(read_video, [tmp_path / "a.gif"] * 20))
    assert len(videos) == 20
    assert av.logging.get_level() is None


def test_arrays_are_read_by_several_threads(tmp_path):
    """CPython 3.11's parser of their headers is not made for that (python/cpython#106905)."""
    np.save(tmp_path / "a.npy", np.zeros((2, 4, 4, 1), np.uint8))

    def leave(*_):  # so that another thread runs while a header is half parsed
        time.sleep(0)

    before = gc.get_threshold()
    gc.collect()
    gc.set_threshold(5)
    gc.callbacks.append(leave)
    try:
        with ThreadPoolExecutor(8) as pool:
            videos = list(pool.map(read_video, [tmp_path / "a.npy"] * 200))
    finally:
        gc.callbacks.remove(leave)
        gc.set_threshold(*before)
    assert {video.shape for video in videos} == {(2, 4, 4, 1)}


MEMORY = r"""
import re, sys
from pathlib import Path
from hvp.data.video_io import read_video, video_frames

def peak():  # not getrusage's, which is at least the parent's
    return int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) / 1024

for _ in video_frames(sys.argv[1], 40, 40, 1):
    pass
before = peak()
frames = read_video(sys.argv[1], 40, 40, 1)
print(frames.shape, peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_video_takes_little_more_memory_than_its_frames(tmp_path):
    path = tmp_path / "long.mp4"
    write_mp4(path, (np.full((120, 160, 3), i % 256, np.uint8) for i in range(3000)))
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, check=True
    )
    shape, mebibytes = done.stdout.rsplit(" ", 1)
    assert shape == "(3000, 40, 40, 1)"  # 4.6 MiB
    assert float(mebibytes) < 20
