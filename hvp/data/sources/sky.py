"""SkyTimelapse: clouds, sunsets, stars (Xiong, Luo, Ma, Liu, Luo, CVPR 2018, "MD-GAN").

Origin: https://github.com/weixiong-ur/mdgan, cut from YouTube's time-lapse videos; its README links
to a file of Google Drive, which has to be fetched by hand. No licence is stated. 2392 training and
225 test videos of 997 and 111 recordings, RGB frames of 640x360, .jpg, 2 to over 100 a video; the
frame rate is not stated.
Layout of `data.datadir`: `sky_train/` and `sky_test/` (or `train/` and `test/`), in them folders of
recordings, in them folders of frames: every folder with frames in it is a video.
Protocol: motion GAN, 16 frames of 256x256, the centre of the picture; videos with fewer frames are
left out (`unusable_videos: skip`).
"""

from __future__ import annotations

from pathlib import Path

from hvp.data.data_set import DataSet, Preparation
from hvp.data.stored_videos import Splits, videos_below

FOLDERS = {"train": ("sky_train", "train"), "test": ("sky_test", "test")}


class Sky(DataSet):
    name = "sky"
    preparation = Preparation(256, 256, 3, crop="center")
    protocol = "motion GAN, 16 frames of 256x256, the centre of the picture"
    advice = (
        "fetch sky_timelapse by hand from Google Drive (the link is in the README of "
        "https://github.com/weixiong-ur/mdgan) and name the folder of sky_train/ and sky_test/, "
        "or the archive itself when preparing"
    )

    def recording(self, name: str) -> str:
        """The folder of the recording that the video was cut from."""
        split, recording, *videos = [*name.split("/", 2), ""]
        return f"{split}/{recording}" if any(videos) else name

    def find_videos(self, root: Path) -> Splits:
        """The folders of frames at any depth below each split's folder."""
        return {
            split: [path for name in names for path in videos_below(root / name)]
            for split, names in FOLDERS.items()
        }
