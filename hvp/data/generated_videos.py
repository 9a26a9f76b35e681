"""What generated data sets share: videos made on demand."""

from __future__ import annotations

import copy

import numpy as np

from hvp.config import DataConfig
from hvp.data.stored_videos import fit_frames


class GeneratedVideos:
    """Videos made on demand, each a pure function of seed, epoch and index. See `FrameSource`.

    A data set sets `test_seed` and implements `draw`. A video is as long as a window:
    `max_video_len` is for stored videos.
    """

    test_seed: int  # test videos do not follow the experiment's seed, so that scores compare

    def __init__(self, config: DataConfig, split: str, seq_len: int, seed: int):
        self._config, self._training = config, split == "train"
        self._seed = seed if self._training else self.test_seed
        self._first = 0
        count = config.train_videos if self._training else config.test_videos
        self.names = [f"generated-{split}-{i}" for i in range(count)]
        self.lengths = [seq_len] * count
        self.skipped: list[str] = []

    def never_trained_on(self, share: float) -> GeneratedVideos:
        """Videos beyond those of every epoch, always the same: `share` as many, at least one.

        Args:
            share: of the training videos; call it on those.
        """
        others = copy.copy(self)
        others._training, others._first = False, len(self.names)
        count = max(1, round(share * len(self.names)))
        others.names = [f"generated-val-{i}" for i in range(count)]
        others.lengths = self.lengths[:1] * count
        return others

    def read(self, video: int, start: int, length: int, epoch: int = 0) -> np.ndarray:
        epoch = epoch if self._training else 0
        random = np.random.default_rng([self._seed, epoch, self._first + video])
        return fit_frames(self.draw(random, start + length)[start:], self._config)

    def draw(self, random: np.random.Generator, num_frames: int) -> np.ndarray:
        """The first frames of a random video, uint8 `(num_frames, height, width, channels)`."""
        raise NotImplementedError
