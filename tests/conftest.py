"""Fixtures that several test folders share."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hvp.quiet import import_tensorflow

import_tensorflow()

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data, weights and golden values, which a user's clone does not have."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there: it holds the golden values and real samples")
    return SHARED


class Golden:
    """One golden file: `config`, `weights`, and its arrays by name."""

    def __init__(self, path: Path):
        self.arrays = np.load(path, allow_pickle=False)
        self.config = json.loads(str(self.arrays["config"]))
        self.weights = {
            name.removeprefix("weights/"): self.arrays[name]
            for name in self.arrays.files
            if name.startswith("weights/")
        }

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def __contains__(self, name: str) -> bool:
        return name in self.arrays.files


@pytest.fixture(scope="session")
def golden(shared):
    """`golden(name)` opens `golden/NAME.npz`."""
    return lambda name: Golden(shared / "golden" / f"{name}.npz")
