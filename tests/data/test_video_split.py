"""Windows and batches: complete, repeatable, resumable, divisible."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hvp.config import DataConfig, Override, load_config
from hvp.data.video_io import write_mp4
from hvp.data.video_split import VideoSplit, evaluation_split, make_dataset
from hvp.errors import UserError


@pytest.fixture
def numbered(tmp_path):
    """Three videos whose every frame has its own level: 7, 10 and 4 frames."""
    level = 0
    for name, frames in (("a", 7), ("b", 10), ("c", 4)):
        video = np.zeros((frames, 8, 8), np.uint8)
        for frame in video:
            frame[:] = level = level + 1
        (tmp_path / "train").mkdir(exist_ok=True)
        np.save(tmp_path / "train" / f"{name}.npy", video)
    return DataConfig(
        dataset="folder",
        datadir=str(tmp_path),
        height=8,
        width=8,
        seq_len=3,
        cache_dir=str(tmp_path / "cache"),
    )


def levels(batch):
    """First level of every window."""
    return np.rint(np.asarray(batch)[:, 0, 0, 0, 0] * 255).astype(int).tolist()


WINDOWS = [1, 4, 8, 11, 14, 18]  # 2 of a, 3 of b, 1 of c


def test_windows_do_not_overlap_and_the_remainder_is_dropped(numbered):
    split = VideoSplit(numbered, "train")
    assert (split.num_windows, split.seq_len) == (6, 3)
    batches = list(split.evaluation_batches(4))
    assert [levels(b["video"]) for b in batches] == [WINDOWS[:4], WINDOWS[4:]]
    names = [name.decode() for b in batches for name in b["name"].numpy()]
    assert names[0] == "train/a.npy[0:3]"
    assert names[-1] == "train/c.npy[0:3]"
    video = batches[0]["video"]
    assert (video.dtype.name, tuple(video.shape)) == ("float32", (4, 3, 8, 8, 1))
    np.testing.assert_allclose(video[0, :, 0, 0, 0], np.array([1, 2, 3]) / 255)
    assert [len(b["name"]) for b in split.evaluation_batches(4, limit=5)] == [4, 1]


def test_windows_by_number_and_in_the_order_of_training(numbered):
    split = VideoSplit(numbered, "train", seed=5)
    assert split.videos == [("train/a.npy", 7), ("train/b.npy", 10), ("train/c.npy", 4)]
    assert split.window(3) == ("train/b.npy", 3, 10)
    (batch,) = split.evaluation_batches(4, windows=[3, 0])
    assert levels(batch["video"]) == [WINDOWS[3], WINDOWS[0]]
    assert batch["name"].numpy().tolist() == [b"train/b.npy[3:6]", b"train/a.npy[0:3]"]
    (trained,) = split.training_batches(6, start=6).take(1)
    assert [WINDOWS[i] for i in split.training_order(epoch=1)] == levels(trained)


def test_names_of_files_need_not_be_text(numbered, tmp_path):
    odd = tmp_path / "train" / "z\udcff.npy"
    try:
        (tmp_path / "train" / "c.npy").rename(odd)
    except OSError:
        pytest.skip("this file system takes valid names only")
    (*_, last) = VideoSplit(numbered, "train").evaluation_batches(1)
    assert last["name"].numpy().tolist() == [b"train/z\\udcff.npy[0:3]"]


def test_every_epoch_is_a_new_permutation(numbered):
    split = VideoSplit(numbered, "train", seed=5)
    epochs = [levels(batch) for batch in split.training_batches(6).take(3)]
    assert [sorted(epoch) for epoch in epochs] == [WINDOWS] * 3
    assert len({tuple(epoch) for epoch in epochs}) > 1
    again = [levels(b) for b in VideoSplit(numbered, "train", seed=5).training_batches(6).take(3)]
    assert again == epochs
    other = [levels(b) for b in VideoSplit(numbered, "train", seed=6).training_batches(6).take(3)]
    assert other != epochs


def test_batches_straddle_epochs_and_start_anywhere(numbered):
    split = VideoSplit(numbered, "train")
    stream = [level for batch in split.training_batches(4).take(9) for level in levels(batch)]
    assert [sorted(stream[i : i + 6]) for i in range(0, 36, 6)] == [WINDOWS] * 6
    for start in (4, 8, 7, 20):
        later = [
            x for batch in split.training_batches(4, start=start).take(3) for x in levels(batch)
        ]
        assert later == stream[start : start + 12]
    large = next(iter(split.training_batches(50)))
    assert large.shape[0] == 50


def test_shards_divide_every_global_batch(numbered):
    split = VideoSplit(numbered, "train")
    whole = [levels(batch) for batch in split.training_batches(6, start=6).take(3)]
    shards = [
        [levels(batch) for batch in split.training_batches(6, start=6, shard=(i, 3)).take(3)]
        for i in range(3)
    ]
    for batch, parts in zip(whole, zip(*shards, strict=True), strict=True):
        assert [x for part in parts for x in part] == batch
    with pytest.raises(ValueError, match="does not divide into 4"):
        split.training_batches(6, shard=(0, 4))


def test_generated_training_data_are_fresh_in_every_epoch():
    config = DataConfig(height=16, width=16, seq_len=2, train_videos=2)
    split = VideoSplit(config, "train")
    first, second = (batch.numpy() for batch in split.training_batches(2).take(2))
    assert not any(np.array_equal(a, b) for a in first for b in second)


def test_make_dataset(numbered):
    train = make_dataset(numbered, "train", batch_size=2, seed=5)
    expected = VideoSplit(numbered, "train", seed=5).training_batches(2)
    assert [levels(b) for b in train.take(2)] == [levels(b) for b in expected.take(2)]
    config = DataConfig(height=16, width=16, seq_len=2, test_videos=3)
    assert [b.shape[0] for b in make_dataset(config, "test", batch_size=2)] == [2, 1]


def test_nothing_to_use(numbered):
    with pytest.raises(UserError, match="seed must be at least 0"):
        VideoSplit(numbered, "train", seed=-1)
    with pytest.raises(UserError, match="at least 1"):
        VideoSplit(numbered, "train", seq_len=0)
    with pytest.raises(UserError, match="3 of 3 videos"):
        VideoSplit(numbered, "train", seq_len=11)
    with pytest.raises(UserError, match="none is left"):
        VideoSplit(numbered, "train", seq_len=11, unusable_videos="skip")
    assert VideoSplit(numbered, "train", seq_len=5, unusable_videos="skip").num_windows == 3


def test_random_starts(tmp_path):
    """Training windows start anywhere in their videos, by seed and epoch; others do not move."""
    frames = np.arange(20, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), np.uint8)
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        np.save(tmp_path / split / "video.npy", frames)
    config = DataConfig(
        dataset="folder",
        datadir=str(tmp_path),
        height=8,
        width=8,
        seq_len=4,
        random_start=True,
        cache_dir=str(tmp_path / "cache"),
    )

    def starts(seed):
        batches = iter(VideoSplit(config, "train", seed=seed).training_batches(50))
        return np.rint(next(batches).numpy()[:, 0, 0, 0, 0] * 255).astype(int)

    first = starts(1)
    np.testing.assert_array_equal(starts(1), first)
    assert len(set(first)) > 12
    assert first.max() <= 16
    test = next(iter(VideoSplit(config, "test").evaluation_batches(5)))["video"].numpy()
    assert list(np.rint(test[:, 0, 0, 0, 0] * 255)) == [0, 4, 8, 12, 16]


@pytest.mark.parametrize("random_start", [False, True])
def test_one_clip_a_video_and_epoch(tmp_path, random_start):
    """A video of 20 frames is seen as often as one of 5, from another start in every epoch."""
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        for number, length in enumerate((5, 20)):
            levels = 100 * number + np.arange(length, dtype=np.uint8)
            frames = levels[:, None, None] * np.ones((1, 8, 8), np.uint8)
            np.save(tmp_path / split / f"video{number}.npy", frames)
    config = DataConfig(
        dataset="folder",
        datadir=str(tmp_path),
        height=8,
        width=8,
        seq_len=4,
        clips_per_video="one",
        random_start=random_start,
        cache_dir=str(tmp_path / "cache"),
    )
    split = VideoSplit(config, "train", seed=1)
    assert split.num_windows == 2

    def starts(first_epoch):
        batches = iter(split.training_batches(60, start=2 * first_epoch))
        return np.rint(next(batches).numpy()[:, 0, 0, 0, 0] * 255).astype(int)

    seen = starts(0)
    assert all(sorted(pair)[0] < 100 <= sorted(pair)[1] for pair in seen.reshape(-1, 2))
    long = set(seen[seen >= 100] - 100)
    assert long == {0, 4, 8, 12, 16} if not random_start else len(long) > 8
    assert max(long) <= 16
    np.testing.assert_array_equal(starts(10)[:20], seen[20:40])
    assert VideoSplit(config, "test").num_windows == 6


@pytest.mark.parametrize("name", ["mmnist", "cwvae_mmnist"])
def test_published_settings_evaluate_on_windows_longer_than_they_train_on(tmp_path, name):
    """Trained on the first 336 frames of a video, evaluated on 500 of it."""
    for folder in ("train-seq100", "test-seq1000"):
        (tmp_path / folder).mkdir()
        frames = np.repeat(np.arange(125, dtype=np.uint8), 4)[:, None, None, None]
        write_mp4(tmp_path / folder / "1.mp4", frames * np.ones((64, 64, 1), np.uint8), 25)
    overrides = [Override("data.datadir", str(tmp_path), "test")]
    overrides.append(Override("data.cache_dir", str(tmp_path / "cache"), "test"))
    overrides.append("data.validation_share=0")
    config = load_config(name, overrides)
    assert VideoSplit(config.data, "train").num_windows == 3
    assert VideoSplit(config.data, "train").videos[0][1] == 336
    (batch,) = evaluation_split(config).evaluation_batches(1)
    assert batch["video"].shape == (1, 500, 64, 64, 1)


@pytest.fixture
def uneven(tmp_path, monkeypatch):
    """A split of videos with 6, 1, 3 and 2 windows of 4 frames."""
    for name, windows in (("a", 6), ("b", 1), ("c", 3), ("d", 2)):
        folder = tmp_path / "test"
        folder.mkdir(exist_ok=True)
        frames = np.zeros((4 * windows + 1, 8, 8, 1), np.uint8)
        np.save(folder / f"{name}.npy", frames)
    config = DataConfig(
        dataset="folder", datadir=str(tmp_path), height=8, width=8, seq_len=4,
        cache_dir=str(tmp_path / "cache"),
    )  # fmt: skip
    return VideoSplit(config, "test")


def windows_of(split, numbers):
    return [(split.window(n).video[-5], split.window(n).first) for n in numbers]


@pytest.mark.parametrize(
    ("limit", "choice", "expected"),
    [
        (4, "spread", [("a", 0), ("b", 0), ("c", 0), ("d", 0)]),
        (2, "spread", [("a", 0), ("c", 0)]),
        (6, "spread", [("a", 0), ("a", 12), ("b", 0), ("c", 0), ("c", 4), ("d", 0)]),
        (None, "one_per_video", [("a", 0), ("b", 0), ("c", 0), ("d", 0)]),
        (9, "one_per_video", [("a", 0), ("b", 0), ("c", 0), ("d", 0)]),
        (3, "one_per_video", [("a", 0), ("b", 0), ("c", 0)]),
    ],
)
def test_evaluated_windows_are_of_all_videos(uneven, limit, choice, expected):
    assert windows_of(uneven, uneven.choose_windows(limit, choice)) == expected


def test_every_window_is_evaluated_once_where_all_are_asked_for(uneven):
    assert uneven.choose_windows(2, "all").tolist() == list(range(12))
    assert uneven.choose_windows(12, "spread").tolist() == list(range(12))
    for limit in range(1, 13):
        chosen = uneven.choose_windows(limit)
        assert len(set(chosen.tolist())) == limit
        counts = Counter(uneven.window(n).video for n in chosen).values()
        assert max(counts) == 1 or len(counts) == 4
    with pytest.raises(ValueError, match="choice must be one of"):
        uneven.choose_windows(2, "first")


def test_batches_name_the_video_of_each_window(uneven):
    (batch,) = uneven.evaluation_batches(8, windows=[1, 6])
    sources = [source.decode() for source in batch["source"].numpy()]
    names = [name.decode() for name in batch["name"].numpy()]
    assert [source[-5:] for source in sources] == ["a.npy", "b.npy"]
    assert names[0] == f"{sources[0]}[4:8]"
