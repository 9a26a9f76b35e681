"""DAVIS: its layout, its lists, and masks that go with the frames."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hvp.config import DataConfig
from hvp.data.masks import read_masks
from hvp.data.sources import open_source
from hvp.data.video_split import VideoSplit
from hvp.errors import UserError
from hvp.training.batches import replica_batches

FRAMES, MASKS = "JPEGImages/480p", "Annotations/480p"


def sequence(root, name, frames=20, size=(16, 12), palette=True):
    """Frames of grey level 10 t; masks with object 1 + t % 2 in the upper left quarter."""
    for folder in (FRAMES, MASKS):
        (root / folder / name).mkdir(parents=True)
    for t in range(frames):
        grey = np.full(size[::-1], 10 * t, np.uint8)
        Image.fromarray(grey).convert("RGB").save(root / FRAMES / name / f"{t:05}.jpg", quality=98)
        labels = np.zeros(size[::-1], np.uint8)
        labels[: size[1] // 2, : size[0] // 2] = 1 + t % 2 if palette else 255
        mask = Image.fromarray(labels)
        if palette:
            mask = mask.convert("P")
            mask.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
        mask.save(root / MASKS / name / f"{t:05}.png")


@pytest.fixture
def davis(tmp_path):
    """Three sequences of 20 frames, and a config of 6 by 8 pixels."""
    root = tmp_path / "DAVIS"
    for name in ("bear", "bus", "camel"):
        sequence(root, name, palette=name != "camel")
    return DataConfig(
        dataset="davis",
        datadir=str(root),
        height=6,
        width=8,
        channels=3,
        seq_len=9,
        masks=True,
        cache_dir=str(tmp_path / "cache"),
    )


def root_of(config):
    return Path(config.datadir)


def listed(config, release, train, val):
    folder = root_of(config) / "ImageSets" / release
    folder.mkdir(parents=True)
    (folder / "train.txt").write_text("\n".join(train) + "\n")
    (folder / "val.txt").write_text("\n".join(val) + "\n")


def names(config, split):
    return [name.split("/")[-1] for name in open_source(config, split, 9, 0).names]


def test_lists_of_2017_and_2016(davis):
    assert (names(davis, "train"), names(davis, "test")) == (["bear", "bus"], ["camel"])
    pairs = [f"/JPEGImages/480p/bus/{t:05}.jpg /Annotations/480p/bus/{t:05}.png" for t in (0, 1)]
    listed(davis, "480p", pairs, ["/JPEGImages/480p/bear/00000.jpg"])
    assert (names(davis, "train"), names(davis, "val")) == (["bus"], ["bear"])
    listed(davis, "2017", ["camel", "bear"], ["bus"])
    assert (names(davis, "train"), names(davis, "test")) == (["camel", "bear"], ["bus"])
    listed(davis, "2016", ["bear"], ["bear"])
    assert names(davis, "train") == ["camel", "bear"]  # the later release counts


def test_frames_and_masks_go_together(davis):
    split = VideoSplit(davis, "train", seed=1)
    batch = next(iter(split.training_batches(4)))
    assert set(batch) == {"video", "masks"}
    assert batch["video"].shape == (4, 9, 6, 8, 3)
    assert (batch["masks"].shape, batch["masks"].dtype) == ((4, 9, 6, 8), tf.uint8)
    times = np.rint(np.array(batch["video"])[:, :, 0, 0, 0] * 25.5).astype(int)
    np.testing.assert_array_equal(np.array(batch["masks"])[:, :, 0, 0], 1 + times % 2)
    masks = np.array(batch["masks"])
    assert np.all((masks > 0).sum((2, 3)) == 12)  # a quarter of 6 x 8, no colours in between
    assert not masks[:, :, 3:].any()
    example = next(iter(split.evaluation_batches(2)))
    assert set(example) == {"source", "video", "masks", "name"}
    without = dataclasses.replace(davis, masks=False)
    assert next(iter(VideoSplit(without, "train").training_batches(2))).shape == (2, 9, 6, 8, 3)
    binary = open_source(davis, "test", 9, 0).read_masks(0, 0, 9)
    assert set(np.unique(binary)) == {0, 1}  # DAVIS 2016's 255 is object 1


def test_masks_are_divided_among_replicas(davis):
    context = tf.distribute.InputContext(1, 0, 2)
    batches = VideoSplit(davis, "train").training_batches(4)
    whole = next(iter(batches))
    parts = list(replica_batches(batches, context).take(2))
    for key in ("video", "masks"):
        np.testing.assert_array_equal(np.concatenate([p[key] for p in parts]), whole[key])


def test_masks_that_do_not_fit(davis, capsys):
    masks = root_of(davis) / MASKS
    (masks / "bus/00003.png").unlink()
    with pytest.raises(UserError, match=r"bus: 1 of 20 masks missing, the first for 00003\.jpg"):
        VideoSplit(davis, "train")
    Image.new("L", (16, 10)).save(masks / "bus/00003.png")
    with pytest.raises(UserError, match=r"bus/00003\.png: is 16x10, its frame 16x12") as caught:
        VideoSplit(davis, "train")
    assert "\n" not in str(caught.value)
    split = VideoSplit(davis, "train", unusable_videos="skip")
    assert [name for name, _ in split.videos] == [f"{FRAMES}/bear"]
    assert "left out: " in capsys.readouterr().err
    assert len(split.skipped) == 1
    Image.new("RGB", (16, 12), "red").save(masks / "bus/00003.png")
    with pytest.raises(UserError, match="is no mask of labels"):
        VideoSplit(davis, "train")
    for file in (masks / "bus").iterdir():
        file.unlink()
    with pytest.raises(UserError, match="bus: holds no masks"):
        VideoSplit(davis, "train")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seq_len": 21}, "has 20 frames, 21 are needed"),
        ({"datadir": "nowhere"}, r"no folder nowhere: .*davischallenge\.org"),
        ({"dataset": "moving_mnist", "datadir": None}, "moving_mnist has no masks; davis has"),
    ],
)
def test_mistakes(davis, changes, message):
    with pytest.raises(UserError, match=message):
        VideoSplit(dataclasses.replace(davis, **changes), "train")


def test_lists_that_do_not_fit(davis):
    listed(davis, "2017", ["bear", "zebra"], [])
    with pytest.raises(
        UserError, match=r"1 of its 2 sequences are not in .*, the first is 'zebra'"
    ):
        VideoSplit(davis, "train")
    with pytest.raises(UserError, match=r"val\.txt: lists no sequences"):
        VideoSplit(davis, "val")


def test_masks_of_different_sizes(tmp_path):
    for number, width in enumerate((8, 9)):
        Image.new("L", (width, 6)).save(tmp_path / f"{number}.png")
    with pytest.raises(UserError, match=r"1\.png: is 9x6, its frame 8x6"):
        read_masks(tmp_path)


def test_the_real_sequence(shared_file, tmp_path):
    root = tmp_path / "DAVIS"
    (root / "ImageSets/2016").mkdir(parents=True)
    (root / "JPEGImages").symlink_to(
        shared_file("data/davis2016/JPEGImages", "that the published folders are read")
    )
    for split in ("train", "val"):
        (root / f"ImageSets/2016/{split}.txt").write_text("car-shadow\n")
    config = DataConfig(
        dataset="davis", datadir=str(root), height=24, width=40, channels=3, seq_len=40,
        cache_dir=str(tmp_path / "cache"),
    )  # fmt: skip
    (video,) = VideoSplit(config, "test").evaluation_batches(1)
    assert video["video"].shape == (1, 40, 24, 40, 3)
    with pytest.raises(UserError, match="car-shadow: no masks: No such file"):
        VideoSplit(dataclasses.replace(config, masks=True), "test")
