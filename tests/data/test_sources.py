"""Data sets: their layouts, splits, and what is said when something is missing."""

from __future__ import annotations

import dataclasses
import gzip
import mmap  # noqa: F401  later, without rights, it could not be imported
import os
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest

from hvp.config import DataConfig, load_config
from hvp.data.find_clips import find_clips
from hvp.data.mnist_files import read_idx_images
from hvp.data.sources import data_set, open_source
from hvp.data.sources.moving_mnist import render
from hvp.data.video_io import write_mp4
from hvp.digits import embedded_digits
from hvp.errors import UserError


@pytest.fixture
def config(tmp_path):
    def make(**changes):
        settings = {"height": 16, "width": 16, "cache_dir": str(tmp_path / "cache")}
        return DataConfig(**{**settings, **changes})

    return make


def clip(path, frames=10, level=100, size=16):
    path.parent.mkdir(parents=True, exist_ok=True)
    video = np.full((frames, size, size, 3), level, np.uint8)
    write_mp4(path, video, quality=1)


def idx_file(path, count, first=0):
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 10:18, 10:18] = (np.arange(count) + first + 1)[:, None, None]
    content = struct.pack(">4I", 2051, count, 28, 28) + images.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def test_simpler_moving_digits():
    """One image of each digit, the same in training and testing, on a smaller canvas."""
    changes = ["data.num_digits=1", "data.images_per_digit=1", "data.canvas=40"]
    changes += ["data.height=40", "data.width=40"]
    config = load_config("base", changes).data
    found = set()
    for split in ("train", "test"):
        source = open_source(config, split, 2, 0)
        frames = np.concatenate([source.read(i, 0, 2) for i in range(60)])[..., 0]
        assert frames.shape == (120, 40, 40)
        inks = {tuple(np.sort(frame[frame > 0])) for frame in frames}
        assert len(inks) == 10
        found |= inks
    assert len(found) == 10
    assert len(embedded_digits("test", of_each=3)) == 30


def test_embedded_digits_are_divided():
    train, test = embedded_digits("train"), embedded_digits("test")
    assert (train.shape, test.shape) == ((1500, 28, 28), (297, 28, 28))
    assert train.dtype == np.uint8
    assert train.max() > 250
    assert not train[:, :4].any()  # MNIST's margin
    assert not {digit.tobytes() for digit in train} & {digit.tobytes() for digit in test}


@pytest.mark.parametrize(("size", "channels"), [(64, 1), (32, 1), (64, 3), (48, 3)])
def test_generated_frames_in_any_size(size, channels):
    settings = DataConfig(height=size, width=size, channels=channels)
    frames = open_source(settings, "train", 3, seed=0).read(0, 0, 3)
    assert frames.shape == (3, size, size, channels)
    assert frames.max() > 100


def test_rules_of_motion():
    digit = np.full((1, 28, 28), 200, np.uint8)
    frames = render(digit, np.array([[0.42, 0.5, 0.0]]), 30)  # to the right
    lefts = [int(np.nonzero(frame.any(axis=(0, 2)))[0][0]) for frame in frames]
    tops = [int(np.nonzero(frame.any(axis=(1, 2)))[0][0]) for frame in frames]
    assert lefts[:7] == [15, 18, 22, 25, 29, 33, 36]  # a tenth of the 36 free pixels a frame
    assert max(lefts) == 36
    assert min(lefts) == 0
    assert len(set(tops)) == 1
    both = render(np.stack([digit[0], digit[0] // 2]), np.array([[0.5, 0.5, 0], [0.5, 0.5, 0]]), 1)
    assert both.max() == 200  # overlap by maximum


def test_moving_mnist_from_idx_files(tmp_path, config, capsys):
    idx_file(tmp_path / "train-images-idx3-ubyte.gz", 6)
    idx_file(tmp_path / "t10k-images-idx3-ubyte", 3, first=100)
    settings = config(datadir=str(tmp_path), height=64, width=64)
    train = np.concatenate([open_source(settings, "train", 2, 0).read(i, 0, 2) for i in range(9)])
    test = np.concatenate([open_source(settings, "test", 2, 0).read(i, 0, 2) for i in range(9)])
    assert 0 < train.max() <= 6
    assert 100 < test.max() <= 103
    assert not capsys.readouterr().err
    (tmp_path / "train-images-idx3-ubyte.gz").unlink()
    for split in ("train", "test"):
        open_source(settings, split, 2, 0)
    assert "training uses its first 2 digits, testing the other 1" in capsys.readouterr().err


def test_moving_mnist_videos_and_array(tmp_path, config):
    clip(tmp_path / "train-seq100/2.mp4")
    clip(tmp_path / "train-seq100/10.mp4", level=200)
    array = np.arange(20 * 3, dtype=np.uint8).reshape(20, 3, 1, 1) * np.ones((64, 64), np.uint8)
    np.save(tmp_path / "mnist_test_seq.npy", array)
    settings = config(datadir=str(tmp_path))
    train = open_source(settings, "train", 5, 0)
    assert [name.split("/")[-1] for name in train.names] == ["2.mp4", "10.mp4"]
    assert abs(int(train.read(1, 0, 5).mean()) - 200) < 3
    test = open_source(settings, "test", 20, 0)
    assert len(test.names) == 3
    np.testing.assert_array_equal(test.read(1, 0, 20)[:, 0, 0, 0], array[:, 1, 0, 0])
    with pytest.raises(UserError, match="its sequences have 20 frames, 21 are needed"):
        open_source(settings, "test", 21, 0)
    shorter = config(datadir=str(tmp_path), max_video_len=8)
    assert open_source(shorter, "test", 5, 0).lengths == [8] * 3
    np.save(tmp_path / "mnist_test_seq.npy", np.zeros((30, 20, 64, 64), np.uint8))
    with pytest.raises(UserError, match=r"expected uint8 \(20, 10000, 64, 64\)"):
        open_source(settings, "test", 5, 0)


def test_real_videos_pass_through_the_cache(shared_file, config):
    """Clips of several sizes, and a GIF, at one size."""
    data = shared_file("data", "that published videos of several sizes are read")
    settings = config(dataset="folder", datadir=str(data / "ucf101"), height=32, width=32)
    source = open_source(settings, "train", 50, 0)
    test = open_source(settings, "test", 50, 0)
    lengths = dict(zip(source.names + test.names, source.lengths + test.lengths, strict=True))
    assert lengths == {
        "v_ApplyEyeMakeup_g01_c01.avi": 164,
        "v_BaseballPitch_g01_c01.avi": 107,
        "v_Bowling_g01_c01.avi": 159,
        "v_CricketShot_g04_c01_rgb.gif": 79,
        "v_IceDancing_g01_c01.avi": 244,
    }
    examples = config(dataset="kth", datadir=str(data / "kth_openstl_examples"))
    names = [open_source(examples, split, 50, 0).names for split in ("train", "val", "test")]
    assert [len(split) for split in names] == [2, 2, 1]
    assert all(name.startswith("val/") for name in names[1])


def test_real_mnist(shared_file, capsys):
    folder = shared_file("data/mnist", "that the published MNIST file is read")
    digits = read_idx_images(folder / "t10k-images-idx3-ubyte.gz")
    assert digits.shape == (10000, 28, 28)
    settings = DataConfig(datadir=str(folder))
    assert open_source(settings, "train", 4, 0).read(0, 0, 4).max() == 255
    assert "8333" in capsys.readouterr().err


def test_damaged_idx_files(tmp_path):
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    idx_file(path, 3)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match="cannot be read as an MNIST file"):
        read_idx_images(path)
    plain = tmp_path / "t10k-images-idx3-ubyte"
    plain.write_bytes(struct.pack(">4I", 2051, 3, 28, 28))
    with pytest.raises(UserError, match="not a complete MNIST image file"):
        read_idx_images(plain)


def test_split_folders(tmp_path, config):
    clip(tmp_path / "train/a.mp4")
    clip(tmp_path / "train/b.mp4")
    clip(tmp_path / "test/c.mp4")
    settings = config(dataset="folder", datadir=str(tmp_path), channels=3)
    names = {split: open_source(settings, split, 5, 0).names for split in ("train", "val", "test")}
    assert names == {
        "train": ["train/a.mp4", "train/b.mp4"],
        "val": ["test/c.mp4"],
        "test": ["test/c.mp4"],
    }
    clip(tmp_path / "val/d.mp4")
    assert open_source(settings, "val", 5, 0).names == ["val/d.mp4"]


def test_folder_without_splits(tmp_path, config):
    for i in range(12):
        clip(tmp_path / f"{i}.mp4")
    settings = config(dataset="folder", datadir=str(tmp_path))
    assert open_source(settings, "test", 5, 0).names == ["9.mp4"]
    assert len(open_source(settings, "train", 5, 0).names) == 11
    for i in range(1, 12):
        (tmp_path / f"{i}.mp4").unlink()
    with pytest.raises(UserError, match=r"holds one video, 0\.mp4"):
        open_source(settings, "train", 5, 0)


def test_unknown_data_set(config):
    with pytest.raises(UserError, match=r"data.dataset is 'xylophones'; valid: moving_mnist, kth"):
        open_source(config(dataset="xylophones"), "train", 5, 0)
    with pytest.raises(UserError, match=r"data.dataset is 'maze'; did you mean 'mazes'\?"):
        open_source(config(dataset="maze"), "train", 5, 0)


def test_unusable_videos_are_an_error_or_reported(tmp_path, config, capsys):
    clip(tmp_path / "train/good.mp4", frames=10)
    clip(tmp_path / "train/short.mp4", frames=4)
    (tmp_path / "train/text.avi").write_text("not a video\n" * 20)
    strict = config(dataset="folder", datadir=str(tmp_path))
    with pytest.raises(UserError, match="2 of 3 videos") as caught:
        open_source(strict, "train", 6, 0)
    message = str(caught.value)
    assert "short.mp4: has 4 frames, 6 are needed" in message
    assert "text.avi: is a text file, not a video" in message
    assert "unusable_videos=skip" in message
    lenient = config(dataset="folder", datadir=str(tmp_path), unusable_videos="skip")
    source = open_source(lenient, "train", 6, 0)
    assert source.names == ["train/good.mp4"]
    assert len(source.skipped) == 2
    report = capsys.readouterr().err
    assert "left out: 2 of 3 videos" in report
    assert "short.mp4" in report
    with pytest.raises(UserError, match="so none is left"):
        open_source(lenient, "train", 11, 0)


def test_cache_is_used_and_follows_the_file(tmp_path, config, monkeypatch):
    path = tmp_path / "train/a.mp4"
    clip(path, level=50)
    settings = config(dataset="folder", datadir=str(tmp_path), max_video_len=7)
    assert open_source(settings, "train", 5, 0).lengths == [7]
    again = lambda *_, **__: pytest.fail("decoded again")  # noqa: E731
    monkeypatch.setattr("hvp.data.frame_cache.video_frames", again)
    open_source(settings, "train", 5, 0)
    monkeypatch.undo()
    clip(path, level=150, frames=11)
    fresh = open_source(config(dataset="folder", datadir=str(tmp_path)), "train", 5, 0)
    assert fresh.lengths == [11]
    assert abs(int(fresh.read(0, 0, 5).mean()) - 150) < 3


@pytest.mark.parametrize("left", [0, 100, 2000])
def test_a_damaged_cache_is_made_again(tmp_path, config, left):
    clip(tmp_path / "train/a.mp4")
    settings = config(dataset="folder", datadir=str(tmp_path))
    open_source(settings, "train", 5, 0)
    (cached,) = (tmp_path / "cache").iterdir()
    cached.write_bytes(cached.read_bytes()[:left])
    assert open_source(settings, "train", 5, 0).read(0, 0, 10).shape == (10, 16, 16, 1)


def test_a_link_that_leads_nowhere_is_named(tmp_path, config):
    clip(tmp_path / "train/a.mp4")
    (tmp_path / "train/b.mp4").symlink_to(tmp_path / "gone.mp4")
    with pytest.raises(UserError, match=r"1 of 2 videos.*b\.mp4: cannot be read"):
        open_source(config(dataset="folder", datadir=str(tmp_path)), "train", 5, 0)


def test_a_cache_that_cannot_be_written(tmp_path, config):
    clip(tmp_path / "train/a.mp4")
    (tmp_path / "file").write_text("")
    settings = config(dataset="folder", datadir=str(tmp_path), cache_dir=str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"cannot write to .*file"):
        open_source(settings, "train", 5, 0)


@pytest.fixture
def without_rights():
    """A folder in which `chmod(0)` holds, also where the tests run as root."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o777)
        user = os.geteuid()
        yield root, lambda: user == 0 and os.seteuid(65534)
        os.seteuid(user)
        for path in sorted(root.rglob("*")):
            path.chmod(0o777)


def test_folders_that_cannot_be_read_are_named(without_rights):
    root, drop_rights = without_rights
    for name in ("a", "b"):
        (root / "data/train").mkdir(parents=True, exist_ok=True)
        np.save(root / f"data/train/{name}.npy", np.zeros((6, 8, 8), np.uint8))
    for closed in ("data/train/frames", "closed", "zips/closed"):
        (root / closed).mkdir(parents=True)
        (root / closed).chmod(0)
    settings = DataConfig(
        dataset="folder", datadir=str(root / "data"), cache_dir=str(root / "cache"), height=8
    )
    drop_rights()
    with pytest.raises(UserError, match=r"1 of 3 videos.*frames: cannot be read: Permission"):
        open_source(settings, "train", 5, 0)
    with pytest.raises(UserError, match=r"closed: cannot be read: Permission"):
        open_source(dataclasses.replace(settings, datadir=str(root / "closed")), "train", 5, 0)
    with pytest.raises(UserError, match=r"zips/closed: cannot be read: Permission"):
        find_clips(data_set("kth"), [root / "zips"], root / "out")
