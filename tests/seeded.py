"""Weights of the golden files in `seeded/`; without hvp, for `bench/beside_pytorch.py` too."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np


def seeded_weights(variables: list[Mapping]) -> dict[str, np.ndarray]:
    """Weights by the recipe of the golden files in `seeded/`: drawn by each variable's name.

    Args:
        variables: for each its `name`, `shape`, `scale`, `shift` and whether it is `positive`.
    """
    weights = {}
    for variable in variables:
        random = np.random.RandomState(zlib.crc32(variable["name"].encode()))
        drawn = random.standard_normal(variable["shape"])
        drawn = np.abs(drawn) if variable["positive"] else drawn
        weights[variable["name"]] = (variable["shift"] + variable["scale"] * drawn).astype(
            np.float32
        )
    return weights
