"""BAIR and Cityscapes in the forms they come in, and damaged; see also `test_dataset_contract`."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest
from PIL import Image
from stand_ins import bair, bair_example, cityscapes, robot_frames, snippet, write_records

from hvp.__main__ import main
from hvp.config import DataConfig
from hvp.data.sources import data_set, open_source
from hvp.errors import UserError


@pytest.fixture
def config(tmp_path):
    def make(dataset, **changes):
        settings = {"height": 64, "width": 64, "channels": 3, "cache_dir": str(tmp_path / "cache")}
        datadir = str(tmp_path / "data")
        return DataConfig(dataset=dataset, datadir=datadir, **{**settings, **changes})

    return make


def tfds_example(frames):
    """A record as TensorFlow Datasets 4.9 stores it: PNGs in one list for each camera."""
    import tensorflow as tf

    def encoded(frame):
        content = io.BytesIO()
        Image.fromarray(frame).save(content, "PNG")
        return content.getvalue()

    features = {
        camera: tf.train.Feature(bytes_list=tf.train.BytesList(value=map(encoded, pictures)))
        for camera, pictures in (("image_aux1", frames), ("image_main", 255 - frames))
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def test_bair_as_tensorflow_datasets_stores_it(tmp_path, config):
    folder = tmp_path / "data/bair_robot_pushing_small/2.0.0"
    for split, seed in (("train", 1), ("test", 2)):
        name = f"bair_robot_pushing_small-{split}.tfrecord-00000-of-00001"
        write_records(folder / name, [tfds_example(robot_frames(seed))])
    for split, seed in (("train", 1), ("test", 2)):
        source = open_source(config("bair"), split, 12, 0)
        np.testing.assert_array_equal(source.read(0, 0, 30), robot_frames(seed))
        np.testing.assert_array_equal(source.read(0, 4, 12), robot_frames(seed)[4:16])


def test_bair_of_the_published_archive(tmp_path, config, capsys):
    bair(tmp_path / "raw")
    with tarfile.open(tmp_path / "bair_robot_pushing_dataset_v0.tar", "w") as archive:
        archive.add(tmp_path / "raw/softmotion30_44k", "softmotion30_44k")
    source = str(tmp_path / "bair_robot_pushing_dataset_v0.tar")
    assert main(["prepare", "bair", "--source", source, "--out", str(tmp_path / "data")]) == 0
    assert "6 clips made" in capsys.readouterr().out
    train = open_source(config("bair"), "train", 12, 0)
    read = [train.read(video, 0, 30) for video in range(4)]
    np.testing.assert_array_equal(read, [robot_frames(seed) for seed in range(4)])
    with pytest.raises(UserError, match=r"has 30 frames, 31 are needed.*data.seq_len=30 uses"):
        open_source(config("bair", unusable_videos="error"), "train", 31, 0)


def test_damaged_records_of_bair_are_named(tmp_path, config, capsys):
    bair(tmp_path / "data")
    folder = tmp_path / "data/softmotion30_44k/train"
    cut = folder / "traj_0_to_1.tfrecords"
    cut.write_bytes(cut.read_bytes()[:-7])
    with pytest.raises(UserError, match=r"traj_0_to_1\.tfrecords: is damaged or cut off: .*skip"):
        open_source(config("bair"), "train", 12, 0)
    left = open_source(config("bair", unusable_videos="skip"), "train", 12, 0)
    assert left.names == [f"train/traj_10_to_11.tfrecords/{i}" for i in range(2)]
    changed = folder / "traj_10_to_11.tfrecords"
    content = bytearray(changed.read_bytes())
    content[5000] ^= 1
    changed.write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"traj_10_to_11\.tfrecords: its record at byte 0 cannot"):
        left.read(0, 0, 12)
    np.testing.assert_array_equal(left.read(1, 0, 30), robot_frames(3))
    command = ["prepare", "bair", "--source", str(tmp_path / "data"), "--out", str(tmp_path / "o")]
    capsys.readouterr()
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "3 clips are complete" in told
    assert told.count("left out: ") == 2


def test_records_of_other_data_are_no_videos_of_bair(tmp_path, config):
    write_records(
        tmp_path / "data/train/a.tfrecords",
        [bair_example(robot_frames(0, frames=3)), b"\xff\xff no example"],
    )
    source = open_source(config("bair"), "train", 3, 0)
    with pytest.raises(UserError, match=r"holds 3 pictures of image_aux1, not 30"):
        source.read(0, 0, 3)
    with pytest.raises(UserError, match=r"a\.tfrecords: its record at byte \d+ cannot be used"):
        source.read(1, 0, 3)


def test_cityscapes_snippets(tmp_path, config):
    """Also those that follow each other without a gap; the middle square, as in the papers."""
    cityscapes(tmp_path / "data")
    settings = config("cityscapes", height=16, width=16, crop="center")
    source = open_source(settings, "train", 30, 0)
    for video, level in enumerate((20, 60, 100, 130)):
        levels = source.read(video, 0, 30)[:, 8, 8, 0].astype(int)
        np.testing.assert_array_equal(levels, np.arange(level, level + 30))
    clips = data_set("cityscapes").find_clips(tmp_path / "data")
    assert [clip.name for clip in clips][2:5] == [
        "train/hamburg_000000_000012", "train/hamburg_000000_000042", "val/munster_000000_000000"
    ]  # fmt: skip
    recording = data_set("cityscapes").recording
    assert recording(clips[2].name) == recording(source.names[3]) == "hamburg_000000"


def test_pictures_that_cityscapes_lacks_are_named(tmp_path, config):
    snippet(tmp_path / "data/train", "ulm", 3, 0, 50)
    snippet(tmp_path / "data/train", "ulm", 4, 0, 90)
    (tmp_path / "data/train/ulm/ulm_000003_000017_leftImg8bit.png").unlink()
    with pytest.raises(UserError, match=r"ulm_000003_000017_leftImg8bit\.png: is missing; snippet"):
        open_source(config("cityscapes"), "train", 5, 0)
    broken = tmp_path / "data/train/ulm/ulm_000004_000003_leftImg8bit.png"
    broken.write_bytes(broken.read_bytes()[:60])
    for choice in ("skip", "salvage"):
        with pytest.raises(UserError, match=r"3 of 3 videos in .* none is left"):
            open_source(config("cityscapes", unusable_videos=choice), "train", 5, 0)
