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


SMALL_EXPERIMENT = """\
name: small
data: {height: 32, width: 32, seq_len: 8, num_digits: 1, train_videos: 10, test_videos: 4}
model:
  levels: 2
  tmp_abs_factor: 2
  enc_dense_embed_size: 16
  cell_stoch_size: 4
  cell_deter_size: 12
  cell_embed_size: 12
  channels_mult: 0.125
training:
  batch_size: 4
  steps: 6
  learning_rate: 1.0e-3
  log_every: 2
  gifs_every: 0
  validate_every: 3
  validation_batches: 1
  checkpoint_every: 3
evaluation: {context: 4, seq_len: 8, num_examples: 4, metrics: [mse, mae, psnr, ssim]}
"""


@pytest.fixture
def small_config(tmp_path) -> Path:
    """A configuration file of an experiment that trains in seconds."""
    path = tmp_path / "small.yml"
    path.write_text(SMALL_EXPERIMENT)
    return path
