"""MineRL Navigate: people walking through Minecraft's worlds (Guss et al., IJCAI 2019).

Origin: https://archive.org/details/minerl_navigate, cut into videos by the authors of Clockwork VAE
(Saxena, Ba, Hafner, NeurIPS 2021): 961 training and 255 test videos, RGB, 64x64, 500 frames. The
page states no licence of its own; cite both papers.
Layout of `data.datadir`: `{train,test}/*.mp4`, as in the archive.
Protocol: Clockwork VAE 36 -> 464 at 64x64, trained on windows of 100.
"""

from __future__ import annotations

from hvp.config import DataConfig
from hvp.data.downloads import Download
from hvp.data.preparation import Preparation
from hvp.data.sources.stored import VideoFiles, open_found, split_folders

URL = "https://archive.org/download/minerl_navigate/minerl_navigate.zip"
PREPARATION = Preparation(64, 64, 3, downloads=(Download(URL),))
ADVICE = f"get {URL}, unpack it so that there are train/ and test/, and name that folder"
find_videos = split_folders


def open_split(config: DataConfig, split: str, seq_len: int, seed: int) -> VideoFiles:
    """Opens a split; see `hvp.data.sources.open_source`."""
    return open_found(config, split, seq_len, find_videos, ADVICE)
