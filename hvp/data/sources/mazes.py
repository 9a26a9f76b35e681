"""GQN-Mazes: first-person walks through random mazes (Eslami et al., Science 2018).

Origin: https://archive.org/download/gqn_mazes/gqn_mazes.zip, as videos by the authors of Clockwork
VAE; RGB, 64x64, 300 frames. The underlying data set is under Apache-2.0.
Layout: `{train,test}/*.mp4`, as in the archive.
Protocol: 36 -> 264 at 64x64.
"""

from __future__ import annotations

from hvp.data.data_set import DataSet, Preparation
from hvp.data.downloads import Download

URL = "https://archive.org/download/gqn_mazes/gqn_mazes.zip"


class Mazes(DataSet):
    name = "mazes"
    preparation = Preparation(64, 64, 3)
    protocol = "hierarchical model 36 -> 264 at 64x64"
    downloads = (Download(URL),)
    advice = (
        f"get {URL}, unpack it so that there are "
        "data/mazes/train and data/mazes/test, and pass --datadir data/mazes"
    )
