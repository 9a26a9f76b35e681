"""MineRL Navigate: people walking through Minecraft's worlds (Guss et al., IJCAI 2019).

Origin: https://archive.org/details/minerl_navigate, cut into videos by the authors of Clockwork VAE
(Saxena, Ba, Hafner, NeurIPS 2021): 961 training and 255 test videos, RGB, 64x64, 500 frames. The
page states no licence of its own; cite both papers.
Layout of `data.datadir`: `{train,test}/*.mp4`, as in the archive.
Protocol: Clockwork VAE 36 -> 464 at 64x64, trained on windows of 100.
"""

from __future__ import annotations

from hvp.data.data_set import DataSet, Preparation
from hvp.data.downloads import Download

URL = "https://archive.org/download/minerl_navigate/minerl_navigate.zip"


class MineRL(DataSet):
    name = "minerl"
    preparation = Preparation(64, 64, 3)
    protocol = "Clockwork VAE 36 -> 464 at 64x64, trained on windows of 100"
    downloads = (Download(URL),)
    advice = f"get {URL}, unpack it so that there are train/ and test/, and name that folder"
