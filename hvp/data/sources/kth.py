"""KTH human actions (Schuldt, Laptev, Caputo, ICPR 2004).

Origin: https://www.csc.kth.se/cvap/actions/, six zip files of 599 grey clips, 160x120, 25 fps: six
actions by 25 persons in four scenarios. Free for research; no licence is stated.
Split: persons 1-20 train, 21-25 test. Layout: `{train,test}/*.avi|mp4` at any size, which
`python -m hvp prepare kth` makes from the official files.
Protocols: hierarchical model 36 -> 164 at 64x64 (clips shorter than the evaluation length are left
out); SVG and SRVP 10 -> 30; SimVP, SDFNet and DFDNet 10 -> 20 and 10 -> 40 at 128x128.
"""

from __future__ import annotations

from hvp.config import DataConfig
from hvp.data.sources.files import VideoFiles, open_split_folders

ADVICE = (
    "get the six zip files from https://www.csc.kth.se/cvap/actions/, then run "
    "python -m hvp prepare kth --source FOLDER_OF_ZIPS --out data/kth and pass --datadir data/kth"
)


def open_split(config: DataConfig, split: str, seq_len: int, seed: int) -> VideoFiles:
    """Opens a split; see `hvp.data.sources.open_source`."""
    return open_split_folders(config, split, seq_len, ADVICE)
