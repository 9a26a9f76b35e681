"""SJTU 4K video sequences (Song, Tang, Zhang, Yang, Xia, QoMEX 2013).

Origin: https://medialab.sjtu.edu.cn/post/sjtu-4k-video-sequences/, free for research. 15 sequences
of 3840x2160, 30 fps, about 300 frames, stored as raw YUV. Raw files do not say what they hold:
convert each, losslessly, for instance by
`ffmpeg -f rawvideo -pix_fmt yuv420p -s 3840x2160 -r 30 -i Library.yuv -crf 0 Library.mkv`.
Layout of `data.datadir`: the sequences as videos or frame folders, in `train/` and `test/` or not.
Split: DFDNet's paper states none. Without folders, every fifth sequence in order of names is for
testing: 3 of 15.
Protocol: DFDNet 4 -> 4, squeezed to 256x256.
"""

from __future__ import annotations

from pathlib import Path

from hvp.data.data_set import DataSet, Preparation
from hvp.data.stored_videos import Splits, every_nth_for_testing, split_folders, videos_below

EVERY = 5


class SJTU4K(DataSet):
    name = "sjtu4k"
    preparation = Preparation(256, 256, 3)
    protocol = "DFDNet 4 -> 4, squeezed to 256x256"
    advice = (
        "fetch the sequences by hand from https://medialab.sjtu.edu.cn/post/"
        "sjtu-4k-video-sequences/, convert the raw files by ffmpeg -f rawvideo -pix_fmt yuv420p "
        "-s 3840x2160 -r 30 -i X.yuv -crf 0 X.mkv, and name their folder"
    )

    def find_videos(self, root: Path) -> Splits:
        """The sequences of `train/` and `test/`, or every fifth one for testing."""
        splits = split_folders(root)
        if any(splits.values()):
            return splits
        return every_nth_for_testing(videos_below(root), EVERY)
