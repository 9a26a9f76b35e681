"""Golden files: numbers that the original networks computed, to check ours against.

Every clone has those of `tests/data/golden` (its README says what each holds); more of them, and in
full, may lie in `../shared/golden` beside the clone.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from seeded import seeded_weights

OWN = Path(__file__).parent / "data" / "golden"
SHARED = Path(__file__).resolve().parents[2] / "shared"


class Golden:
    """The arrays of one golden file, which may be stored in several parts.

    Attributes:
        config: the original's arguments.
        weights: the original's variables by name, stored or rebuilt by the recipe.
    """

    def __init__(self, *parts: Path):
        self.arrays: dict[str, np.ndarray] = {}
        for part in parts:
            with np.load(part, allow_pickle=False) as stored:
                self.arrays |= dict(_unpacked(name, stored[name]) for name in stored.files)
        self.config = self.json("config") if "config" in self else {}

    @functools.cached_property
    def weights(self) -> dict[str, np.ndarray]:
        stored = {**self.below("weights/"), **self.below("fixed/")}
        return {**seeded_weights(self.json("variables")), **stored} if self.seeded else stored

    @property
    def seeded(self) -> bool:
        """Whether the weights follow from the recipe of `seeded_weights`."""
        return "variables" in self

    def below(self, prefix: str) -> dict[str, np.ndarray]:
        """The arrays whose names start with `prefix`, which is removed."""
        names = (name for name in self.arrays if name.startswith(prefix))
        return {name.removeprefix(prefix): self.arrays[name] for name in names}

    def json(self, name: str):
        return json.loads(str(self.arrays[name]))

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def __contains__(self, name: str) -> bool:
        return name in self.arrays


def _unpacked(name: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """What `select_goldens.py` stored in fewer bytes without loss."""
    if name.endswith("@255"):
        return name.removesuffix("@255"), array.astype(np.float32) / np.float32(255)
    return name, array.astype(np.float32) if array.dtype == np.float16 else array


@functools.lru_cache(maxsize=4)
def open_golden(name: str) -> Golden:
    """The golden file `name` of this clone, or of `../shared/golden` where it is `shared/NAME`.

    Skips the test where a shared file is absent, saying what it would have proven.
    """
    if not name.startswith("shared/"):
        parts = sorted(OWN.glob(f"{name}.npz")) or sorted(OWN.glob(f"{name}.part*.npz"))
        assert parts, f"{OWN / name}.npz is part of every clone"
        return Golden(*parts)
    path = SHARED / "golden" / f"{name.removeprefix('shared/')}.npz"
    if not path.is_file():
        pytest.skip(f"{path} is absent; {WOULD_PROVE[path.stem]}")
    return Golden(path)


# What the shared files add to the ones of this clone.
WOULD_PROVE = {
    "hierarchical_residual": "with it single layers, settings and optimizer steps of the residual "
    "model are compared; seeded/hierarchical_residual compares the whole",
    "sdfnet": "with it SDFNet is compared with other weights than in seeded/sdfnet",
    "dfdnet": "with it DFDNet is compared with other weights than in seeded/dfdnet",
    "open_loop_metrics": "with it 20 frames a video are compared for 5",
    "i3d": "with it real clips of up to 25 frames are compared; i3d_seeded is a generated one",
    "lpips_alex": "with it the published weights are compared; lpips_seeded has random ones",
}
