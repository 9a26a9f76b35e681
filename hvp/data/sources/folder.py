"""Any folder of videos, arrays or frame folders.

With `train/` and `test/` (or `val/`) in it, those are the splits. Without, its videos in natural
order are divided: every tenth one is for testing, at least the last one, the others for training.
"""

from __future__ import annotations

from pathlib import Path

from hvp.data.data_set import DataSet, Preparation
from hvp.data.stored_videos import Splits, every_nth_for_testing, split_folders, videos_in
from hvp.errors import UserError

EVERY = 10


class Folder(DataSet):
    name = "folder"
    preparation = Preparation(64, 64, 3)
    archives = False
    advice = (
        "it should hold videos (.avi, .mp4, .mov, .mkv, .webm, .gif, .npy, .npz, .h5) or folders "
        "of frames (.png, .jpg), divided into train/ and test/ or not"
    )

    def find_videos(self, root: Path) -> Splits:
        """The videos of the splits' folders, or every tenth one for testing."""
        if (root / "train").is_dir() or (root / "test").is_dir():
            return split_folders(root)
        paths = videos_in(root)
        if len(paths) == 1:
            raise UserError(
                f"{root}: holds one video, {paths[0].name}, which cannot be both for "
                "training and for testing: put videos into train/ and test/"
            )
        return every_nth_for_testing(paths, EVERY)
