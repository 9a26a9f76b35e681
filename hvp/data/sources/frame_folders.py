"""Any folder of frame folders, `DATASET/VIDEO/FRAME.jpg` (or .png), as video GANs are fed.

With `train/` and `test/` in it, those are the splits. Without, all videos are for training, and
evaluation takes the same ones: FVD of a generator is measured against the data it was trained on.
Frames are in natural order of their names; the frame rate is whatever they were extracted at.
Protocol: motion GAN (as StyleGAN-V), 16 frames of 256x256; videos with fewer frames are left out
(`unusable_videos: skip`).
"""

from __future__ import annotations

from pathlib import Path

from hvp.data.data_set import DataSet, Preparation
from hvp.data.stored_videos import Splits, split_folders, videos_below


class FrameFolders(DataSet):
    name = "frame_folders"
    preparation = Preparation(256, 256, 3, crop="center")
    protocol = "motion GAN (as StyleGAN-V), 16 frames of 256x256"
    splits = ("train",)
    archives = False
    advice = "it should hold a folder for each video, with its frames as .jpg or .png"

    def find_videos(self, root: Path) -> Splits:
        """The videos of `train/` and `test/`, or all of them for training."""
        splits = {
            split: [path for path in paths if path.is_dir()]
            for split, paths in split_folders(root).items()
        }
        if any(splits.values()):
            return splits
        return {"train": [path for path in videos_below(root) if path.is_dir() and path != root]}
