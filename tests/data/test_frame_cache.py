"""The frames of stored videos, decoded once."""

from __future__ import annotations

import gc
import io
import weakref

import numpy as np
import pytest

from hvp.config import DataConfig
from hvp.data.frame_cache import cached_frames, read_frames
from hvp.errors import UserError

FRAMES = np.random.default_rng(0).integers(0, 256, (12, 4, 6, 3), np.uint8)
CONFIG = DataConfig(dataset="folder", height=4, width=6, channels=3)


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "video.npy"
    np.save(path, FRAMES)
    return path


def test_the_file_is_what_numpy_writes_of_all_frames(video, tmp_path):
    stored = cached_frames(video, CONFIG, tmp_path / "cache")
    expected = io.BytesIO()
    np.save(expected, FRAMES)
    assert stored.read_bytes() == expected.getvalue()
    for frames in (np.load(stored), np.load(stored, mmap_mode="r")):
        np.testing.assert_array_equal(frames, FRAMES)


@pytest.mark.parametrize("count", [1, 9, 10, 100_001])
def test_any_number_of_frames(count, video, tmp_path):
    """The number in the file's head comes last, and may have any number of digits."""

    def read(path, config):
        return (np.full((1, 1, 1), i % 256, np.uint8) for i in range(count))

    frames = np.load(cached_frames(video, CONFIG, tmp_path / "cache", read))
    np.testing.assert_array_equal(frames.ravel(), np.arange(count) % 256)


def test_few_frames_are_in_memory(video, tmp_path):
    made, most = [], []

    def read(path, config):
        for frame in read_frames(path, config):
            frame = frame.copy()
            made.append(weakref.ref(frame))
            gc.collect()
            most.append(sum(reference() is not None for reference in made))
            yield frame

    cached_frames(video, CONFIG, tmp_path / "cache", read)
    assert len(most) == len(FRAMES)
    assert max(most) <= 3  # the first, the one before, and this one


@pytest.mark.parametrize("error", [UserError("video: is broken"), OSError(5, "Input/output error")])
def test_what_breaks_off_leaves_nothing(error, video, tmp_path):
    def read(path, config):
        yield FRAMES[0]
        raise error

    with pytest.raises(UserError) as raised:
        cached_frames(video, CONFIG, tmp_path / "cache", read)
    assert "cannot write" not in str(raised.value)
    assert "is broken" in str(raised.value) or "cannot be read: Input/output" in str(raised.value)
    assert not list((tmp_path / "cache").iterdir())
