"""The one input pipeline: windows of a source's videos, as `tf.data` batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, cast

import numpy as np
import tensorflow as tf

from hvp.config import AUTO, DataConfig, ExperimentConfig
from hvp.data.frame_source import MaskedSource
from hvp.data.sources import open_source
from hvp.data.unusable import UnusableVideos
from hvp.errors import UserError

WINDOW_CHOICES = ("spread", "one_per_video", "all")


class Window(NamedTuple):
    """Where a window lies: `[first, first + seq_len)` of a video of `video_length` frames."""

    video: str
    first: int
    video_length: int


class VideoSplit:
    """One split of a data set, cut into windows without overlap; the remainder is dropped.

    With `config.clips_per_video: one`, `train` has one window a video, drawn anew in every epoch.

    Args:
        config: the `data` section.
        split: `train`, `val` or `test`.
        seq_len: frames per window; `config.seq_len` by default.
        seed: decides the order of training windows and generated training data.
        unusable_videos: overrides `config.unusable_videos`.

    Attributes:
        seq_len, num_windows: length and number of windows.
        skipped: why videos were left out, one line each.

    Raises:
        UserError: for missing data and unusable videos.

    Example:
        >>> split = VideoSplit(config.data, "train", seed=config.seed)
        >>> batch = next(iter(split.training_batches(8)))  # float32 (8, seq_len, h, w, c)
    """

    def __init__(
        self,
        config: DataConfig,
        split: str,
        *,
        seq_len: int | None = None,
        seed: int = 0,
        unusable_videos: Literal["error", "skip", "salvage"] | None = None,
    ):
        if unusable_videos is not None:
            config = dataclasses.replace(config, unusable_videos=unusable_videos)
        self.seq_len = config.seq_len if seq_len is None else seq_len
        if self.seq_len == AUTO:
            raise UserError(
                "data.seq_len is auto; hvp.data.with_lengths(config) sets it as the videos allow"
            )
        if self.seq_len < 1:
            raise UserError(f"seq_len must be at least 1, found {self.seq_len}")
        if seed < 0:
            raise UserError(f"seed must be at least 0, found {seed}")
        self._seed = seed
        self._source = open_source(config, split, self.seq_len, seed)
        self._masked, self._random_start = config.masks, config.random_start
        self._frame_shape = (config.height, config.width, config.channels)
        self._one_each = config.clips_per_video == "one" and split == "train"
        # (video, first frame) of every window
        self._windows = np.array(
            [
                (video, first)
                for video, length in enumerate(self._source.lengths)
                for first in self._starts(video, length)
            ]
        ).reshape(-1, 2)
        self.skipped = self._source.skipped
        if not len(self._windows):
            raise UserError(f"data: the {split} split of {config.dataset} holds no videos")

    @property
    def num_windows(self) -> int:
        return len(self._windows)

    @property
    def videos(self) -> list[tuple[str, int]]:
        """Name and frames of every video that is used."""
        return list(zip(self._source.names, self._source.lengths, strict=True))

    def window(self, number: int) -> Window:
        """What lies behind a window's number."""
        video, first = (int(value) for value in self._windows[number])
        return Window(self._source.names[video], first, self._source.lengths[video])

    def training_order(self, epoch: int = 0) -> np.ndarray:
        """The windows' numbers in the order in which `training_batches` gives them."""
        return _permutation(self.num_windows, self._seed, epoch)

    def training_batches(
        self, batch_size: int, start: int = 0, shard: tuple[int, int] = (0, 1)
    ) -> tf.data.Dataset:
        """An endless stream of shuffled windows, the same for the same seed.

        The stream runs through a fresh permutation of all windows in every epoch; batches may
        straddle epochs, so that a few windows make batches of any size.

        Args:
            batch_size: of the global batch.
            start: windows consumed before, over all shards. Going on at `start` gives exactly
                what would have followed.
            shard: `(i, n)` gives the i-th n-th of every global batch.

        Returns:
            float32 `(batch_size / n, seq_len, height, width, channels)` in [0, 1]; with
            `config.masks` dicts of it as `video` and of `masks`, object labels, uint8
            `(batch_size / n, seq_len, height, width)`.
        """
        index, count = shard
        if batch_size % count:
            raise ValueError(f"batch_size {batch_size} does not divide into {count} shards")
        local = batch_size // count

        def window(element: np.ndarray) -> list[np.ndarray]:
            batch, row = divmod(int(element), local)
            position = start + batch * batch_size + index * local + row
            epoch, place = divmod(position, self.num_windows)
            number = self.training_order(epoch)[place]
            return self._read(number, epoch, self._random_first(number, epoch))

        examples = self._batched(tf.data.Dataset.counter(), window, local, drop_remainder=True)
        return examples.map(model_input)

    def choose_windows(self, limit: int | None = None, choice: str = "spread") -> np.ndarray:
        """Numbers of the windows that are evaluated, in order.

        Args:
            limit: how many at most, except of `all`.
            choice: `spread` takes one window of every video before a second one of any, evenly
                spread over the videos and over each; `one_per_video` the first of each, evenly
                spread where there are more videos than `limit`; `all` every one.
        """
        if choice not in WINDOW_CHOICES:
            raise ValueError(f"choice must be one of {WINDOW_CHOICES}, received {choice!r}")
        total = self.num_windows
        limit = total if limit is None else min(limit, total)
        if choice == "all" or (choice == "spread" and limit == total):
            return np.arange(total)
        videos, firsts, counts = np.unique(
            self._windows[:, 0], return_index=True, return_counts=True
        )
        if choice == "one_per_video":
            return firsts[_evenly(len(videos), limit)]
        taken = _shared_out(counts, limit)
        return np.concatenate(
            [first + _evenly(n, k) for first, n, k in zip(firsts, counts, taken, strict=True)]
        )

    def evaluation_batches(
        self,
        batch_size: int,
        limit: int | None = None,
        windows: Sequence[int] | np.ndarray | None = None,
        eight_bit: bool = False,
    ) -> tf.data.Dataset:
        """Windows in order, once; the last batch may be smaller.

        Args:
            limit: number of windows, spread over the videos; all by default.
            windows: these windows instead, by number, in this order.
            eight_bit: gives `video` as uint8, 0 to 255, which takes a quarter of the memory.

        Returns:
            Dicts of `video`, float32 `(batch, seq_len, height, width, channels)` in [0, 1], `name`,
            strings `(batch,)` such as `clip.avi[100:200]`, and `source`, the video's name alone;
            with `config.masks` also of `masks`, object labels, uint8
            `(batch, seq_len, height, width)`.
        """
        if windows is None:
            windows = self.choose_windows(limit)
        indices = tf.data.Dataset.from_tensor_slices(np.asarray(windows, np.int64))
        videos = self._batched(
            indices, lambda i: self._read(int(i), 0), batch_size, eight_bit=eight_bit
        )
        strings = {
            # Names of files need not be valid text.
            "name": [self._name(i).encode("utf-8", "backslashreplace") for i in windows],
            "source": [self.window(i).video.encode("utf-8", "backslashreplace") for i in windows],
        }
        names = tf.data.Dataset.from_tensor_slices(strings).batch(batch_size)
        return tf.data.Dataset.zip(videos, names).map(lambda video, name: {**video, **name})

    def _batched(
        self,
        indices: tf.data.Dataset,
        read,
        batch_size: int,
        drop_remainder: bool = False,
        eight_bit: bool = False,
    ) -> tf.data.Dataset:
        shapes: dict[str, tuple[int, ...]] = {"video": (self.seq_len, *self._frame_shape)}
        if self._masked:
            shapes["masks"] = shapes["video"][:-1]

        def load(i: tf.Tensor) -> dict[str, tf.Tensor]:
            parts = tf.numpy_function(read, [i], [tf.uint8] * len(shapes), stateful=False)
            return {
                name: tf.ensure_shape(part, shape)
                for part, (name, shape) in zip(parts, shapes.items(), strict=True)
            }

        def to_float(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {**example, "video": tf.cast(example["video"], tf.float32) / 255.0}

        batches = indices.map(load, tf.data.AUTOTUNE, deterministic=True)
        batches = batches.batch(batch_size, drop_remainder=drop_remainder)
        if not eight_bit:
            batches = batches.map(to_float, tf.data.AUTOTUNE, deterministic=True)
        return batches.prefetch(tf.data.AUTOTUNE)

    def _starts(self, video: int, length: int) -> Sequence[int]:
        """First frames of a video's windows, where they are not drawn anew."""
        starts = range(0, length - self.seq_len + 1, self.seq_len)
        if not self._one_each or not starts:
            return starts
        random = np.random.default_rng([self._seed, video, 2])
        return [int(random.choice(starts))]

    def _random_first(self, window: int, epoch: int) -> int | None:
        """The epoch's start in the window's video: anywhere for `config.random_start`, at a
        multiple of a window's length for one clip a video, else `None`."""
        if not self._random_start and not self._one_each:
            return None
        video = int(self._windows[window, 0])
        random = np.random.default_rng([self._seed, epoch, int(window), 1])
        step = 1 if self._random_start else self.seq_len
        return step * int(random.integers((self._source.lengths[video] - self.seq_len) // step + 1))

    def _read(self, window: int, epoch: int, first: int | None = None) -> list[np.ndarray]:
        """The window's frames, and its masks where they are asked for; `first` starts elsewhere."""
        video, own = (int(value) for value in self._windows[window])
        first = own if first is None else first
        parts = [self._source.read(video, first, self.seq_len, epoch)]
        if self._masked:
            source = cast(MaskedSource, self._source)
            parts.append(source.read_masks(video, first, self.seq_len))
        return parts

    def _name(self, window: int) -> str:
        video, first = self._windows[window]
        name = self._source.names[video]
        if self._source.lengths[video] == self.seq_len:
            return name
        return f"{name}[{first}:{first + self.seq_len}]"


def model_input(example: Mapping[str, tf.Tensor]) -> tf.Tensor | dict[str, tf.Tensor]:
    """What `train_step` takes of an example: the video alone, or a dict of it and its masks."""
    if "masks" not in example:
        return example["video"]
    return {"video": example["video"], "masks": example["masks"]}


def _evenly(available: int, wanted: int) -> np.ndarray:
    """At most `wanted` of the numbers 0 to `available - 1`, evenly spread, 0 among them."""
    wanted = min(wanted, available)
    return np.arange(wanted) * available // max(wanted, 1)


def _shared_out(counts: np.ndarray, limit: int) -> np.ndarray:
    """How many of each video's windows are taken: one of each before a second one of any."""
    taken = np.zeros_like(counts)
    while limit > taken.sum():
        more = np.flatnonzero(taken < counts)
        taken[more[_evenly(len(more), limit - int(taken.sum()))]] += 1
    return taken


@lru_cache(maxsize=4)
def _permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(count)


def evaluation_split(
    config: ExperimentConfig, split: str = "test", seq_len: int | None = None
) -> VideoSplit:
    """A split as evaluation sees it: context and future together, of the videos that will do.

    `data.max_video_len` is for training: Moving MNIST was trained on the first 336 frames of videos
    and tested on longer windows.

    Args:
        config: of the experiment.
        split: `train`, `val` or `test`.
        seq_len: frames of a window; `evaluation.seq_len` by default.
    """
    try:
        return VideoSplit(
            dataclasses.replace(config.data, max_video_len=None),
            split,
            seq_len=config.evaluation.seq_len if seq_len is None else seq_len,
            seed=config.seed,
            unusable_videos=config.evaluation.unusable_videos,
        )
    except UnusableVideos as error:
        raise error.of_section("evaluation") from error


def make_dataset(
    config: DataConfig,
    split: str,
    *,
    batch_size: int,
    seq_len: int | None = None,
    seed: int = 0,
    start: int = 0,
) -> tf.data.Dataset:
    """A split's videos as float32 batches, for a notebook or `model.fit`.

    `train` is endless and shuffled, `val` and `test` are in order and end. See `VideoSplit`, which
    gives names and numbers as well.

    Returns:
        float32 `(batch, seq_len, height, width, channels)` in [0, 1]; with `config.masks` dicts
        of it as `video` and of `masks`.

    Example:
        >>> data = make_dataset(config.data, "train", batch_size=8)
        >>> model.fit(data, steps_per_epoch=100)
    """
    videos = VideoSplit(config, split, seq_len=seq_len, seed=seed)
    if split == "train":
        return videos.training_batches(batch_size, start=start)
    return videos.evaluation_batches(batch_size).map(model_input)
