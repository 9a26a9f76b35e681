"""The distances of two sets of features, beside FVD, as a record has them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from hvp.distances.kernel import kernel_distance
from hvp.distances.neighbours import NEIGHBOURS, neighbourhoods

# Videos of each set below which chance or bias are over a tenth of what a clear difference makes:
# measured on 64 features, see docs/distances.md. To extrapolate, a quarter of the videos must give
# covariances of their own, so that it takes four times as many as there are features.
ENOUGH = {"fvd": 1024, "extrapolated": 256, "kernel_distance": 256, "neighbourhoods": 512}
VIDEOS_PER_FEATURE = 4
LABELS = {
    "fvd": "FVD",
    "extrapolated": "FVD extrapolated to infinitely many videos",
    "kernel_distance": "the kernel distance",
    "neighbourhoods": "precision, recall, density and coverage",
}


def compare_sets(real: np.ndarray, fake: np.ndarray) -> dict[str, Any]:
    """Kernel distance, and precision, recall, density and coverage; `None` for too few videos.

    Args:
        real, fake: `(videos, features)`.
    """
    fewest = min(len(real), len(fake))
    kernel = kernel_distance(real, fake)._asdict() if fewest >= 3 else None
    near = neighbourhoods(real, fake)._asdict() if fewest > NEIGHBOURS else None
    return {
        "kernel_distance": kernel and {**kernel, "kernel": "(x y / features + 1)^3, unbiased"},
        "neighbourhoods": near and {**near, "k": NEIGHBOURS},
    }


def extrapolate(real: np.ndarray, fake: np.ndarray, seed: int) -> tuple[dict[str, Any], Any]:
    """`hvp.distances.extrapolation.extrapolated_frechet` as plain values, and as it is."""
    from hvp.distances.extrapolation import extrapolated_frechet

    found = extrapolated_frechet(real, fake, seed)
    plain = {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in dataclasses.asdict(found).items()
    }
    return {"extrapolated": plain}, found


def warnings_for(num_videos: int, num_features: int, measured: Iterable[str]) -> list[str]:
    """A line for each of `measured` (keys of `ENOUGH`) that has too few videos."""
    lines = []
    for name in measured:
        enough = ENOUGH[name]
        if name == "extrapolated":
            enough = max(enough, VIDEOS_PER_FEATURE * num_features)
        if num_videos < enough:
            lines.append(
                f"{num_videos} videos are few for {LABELS[name]}: below {enough} it depends on "
                "their number and draw (docs/distances.md)"
            )
    return lines
