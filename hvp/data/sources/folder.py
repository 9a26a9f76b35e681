"""Any folder of videos, arrays or frame folders.

With `train/` and `test/` (or `val/`) in it, those are the splits. Without, its videos in natural
order are divided: every tenth one is for testing, at least the last one, the others for training.
"""

from __future__ import annotations

from pathlib import Path

from hvp.config import DataConfig
from hvp.data.preparation import Preparation
from hvp.data.sources.stored import Splits, VideoFiles, open_found, split_folders, videos_in
from hvp.errors import UserError

PREPARATION = Preparation(64, 64, 3)

ADVICE = (
    "it should hold videos (.avi, .mp4, .mov, .mkv, .webm, .gif, .npy, .npz, .h5) or folders of "
    "frames (.png, .jpg), divided into train/ and test/ or not"
)
EVERY = 10


def find_videos(root: Path) -> Splits:
    """The videos of the splits' folders, or every tenth one for testing."""
    if (root / "train").is_dir() or (root / "test").is_dir():
        return split_folders(root)
    paths = videos_in(root)
    if len(paths) == 1:
        raise UserError(
            f"{root}: holds one video, {paths[0].name}, which cannot be both for "
            "training and for testing: put videos into train/ and test/"
        )
    test = paths[EVERY - 1 :: EVERY] or paths[-1:]
    return {"train": [path for path in paths if path not in test], "test": test}


def open_split(config: DataConfig, split: str, seq_len: int, seed: int) -> VideoFiles:
    """Opens a split; see `hvp.data.sources.open_source`."""
    return open_found(config, split, seq_len, find_videos, ADVICE)
