"""Any folder of frame folders, `DATASET/VIDEO/FRAME.jpg` (or .png), as video GANs are fed.

With `train/` and `test/` in it, those are the splits. Without, all videos are for training, and
evaluation takes the same ones: FVD of a generator is measured against the data it was trained on.
Frames are in natural order of their names; the frame rate is whatever they were extracted at.
Protocol: motion GAN (as StyleGAN-V), 16 frames of 256x256; videos with fewer frames are left out
(`unusable_videos: skip`).
"""

from __future__ import annotations

from pathlib import Path

from hvp.config import DataConfig
from hvp.data.preparation import Preparation
from hvp.data.sources.stored import Splits, VideoFiles, open_found, split_folders, videos_below

PREPARATION = Preparation(256, 256, 3, crop="center")
TESTS_ON_TRAINING = True
ADVICE = "it should hold a folder for each video, with its frames as .jpg or .png"


def find_videos(root: Path) -> Splits:
    """The videos of `train/` and `test/`, or all of them for training."""
    splits = {
        s: [path for path in paths if path.is_dir()] for s, paths in split_folders(root).items()
    }
    if any(splits.values()):
        return splits
    return {"train": [path for path in videos_below(root) if path.is_dir() and path != root]}


def open_split(config: DataConfig, split: str, seq_len: int, seed: int) -> VideoFiles:
    """Opens a split; see `hvp.data.sources.open_source`."""
    return open_found(config, split, seq_len, find_videos, ADVICE, TESTS_ON_TRAINING)
