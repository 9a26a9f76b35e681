"""A data set of one's own: radar pictures of rain, one array of hours a day, the last for testing.

In a script, `hvp.register_dataset` makes it known; an installed package names it by an entry point
of the group `hvp.datasets`, and then the commands know it too: `rain = "example_dataset:Rain"`.
"""

from pathlib import Path

import hvp
from hvp.data import DataSet, Preparation
from hvp.data.stored_videos import Splits, videos_in


@hvp.register_dataset
class Rain(DataSet):
    name = "rain"
    preparation = Preparation(32, 32, channels=1)
    protocol = "4 -> 8 hours at 32x32"
    advice = "it should hold a folder 2024/ with an array (hours, height, width) for each day"

    def find_videos(self, root: Path) -> Splits:
        days = videos_in(root / "2024")
        return {"train": days[:-1], "test": days[-1:]}
