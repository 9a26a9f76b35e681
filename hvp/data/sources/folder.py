"""Any folder of videos, arrays or frame folders.

With `train/` and `test/` (or `val/`) in it, those are the splits. Without, its videos in natural
order are divided: every tenth one is for testing, at least the last one, the others for training.
"""

from __future__ import annotations

from hvp.config import DataConfig
from hvp.data.sources.files import VideoFiles, open_split_folders, require_folder, videos_in
from hvp.errors import UserError

ADVICE = (
    "it should hold videos (.avi, .mp4, .mov, .mkv, .webm, .gif, .npy, .npz) or folders of frames "
    "(.png, .jpg), divided into train/ and test/ or not"
)
EVERY = 10


def open_split(config: DataConfig, split: str, seq_len: int, seed: int) -> VideoFiles:
    """Opens a split; see `hvp.data.sources.open_source`."""
    root = require_folder(config, ADVICE)
    if (root / "train").is_dir() or (root / "test").is_dir():
        return open_split_folders(config, split, seq_len, ADVICE)
    paths = videos_in(root)
    if not paths:
        raise UserError(f"data.datadir: {root} holds no videos: {ADVICE}")
    if len(paths) < 2:
        raise UserError(
            f"data.datadir: {root} holds one video, {paths[0].name}, which cannot be both for "
            "training and for testing: put videos into train/ and test/"
        )
    test = set(paths[EVERY - 1 :: EVERY] or paths[-1:])
    chosen = [path for path in paths if (path in test) == (split != "train")]
    return VideoFiles(chosen, config, seq_len, root)
