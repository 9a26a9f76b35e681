"""What generated data sets share: videos made on demand."""

from __future__ import annotations

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
        count = config.train_videos if self._training else config.test_videos
        self.names = [f"generated-{split}-{i}" for i in range(count)]
        self.lengths = [seq_len] * count
        self.skipped: list[str] = []

    def read(self, video: int, start: int, length: int, epoch: int = 0) -> np.ndarray:
        random = np.random.default_rng([self._seed, epoch if self._training else 0, video])
        return fit_frames(self.draw(random, start + length)[start:], self._config)

    def draw(self, random: np.random.Generator, num_frames: int) -> np.ndarray:
        """The first frames of a random video, uint8 `(num_frames, height, width, channels)`."""
        raise NotImplementedError
