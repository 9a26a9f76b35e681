"""GQN-Mazes: first-person walks through random mazes (Eslami et al., Science 2018).

Origin: https://archive.org/download/gqn_mazes/gqn_mazes.zip, as videos by the authors of Clockwork
VAE; RGB, 64x64, 300 frames. The underlying data set is under Apache-2.0.
Layout: `{train,test}/*.mp4`, as in the archive.
Protocol: 36 -> 264 at 64x64.
"""

from __future__ import annotations

from hvp.config import DataConfig
from hvp.data.downloads import Download
from hvp.data.preparation import Preparation
from hvp.data.sources.stored import VideoFiles, open_split_folders, split_folders

URL = "https://archive.org/download/gqn_mazes/gqn_mazes.zip"
PREPARATION = Preparation(64, 64, 3, downloads=(Download(URL),))
ADVICE = (
    f"get {URL}, unpack it so that there are "
    "data/mazes/train and data/mazes/test, and pass --datadir data/mazes"
)
find_videos = split_folders


def open_split(config: DataConfig, split: str, seq_len: int, seed: int) -> VideoFiles:
    """Opens a split; see `hvp.data.sources.open_source`."""
    return open_split_folders(config, split, seq_len, ADVICE)
