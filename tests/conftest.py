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


@pytest.fixture(scope="session")
def i3d_weights() -> dict[str, np.ndarray]:
    """Random weights of I3D by the golden's recipe: over sorted names, seed 400 + index."""
    from unittest import mock

    from hvp.distances.i3d import I3D

    with mock.patch("hvp.distances.i3d.assign_by_name") as assign:
        I3D({})
    weights = {}
    for index, (name, variable) in enumerate(sorted(assign.call_args.args[0].items())):
        z = np.random.RandomState(400 + index).standard_normal(tuple(variable.shape))
        kind = name.split("/")[-1]
        if kind == "w":
            z *= np.sqrt(2 / np.prod(z.shape[:4]))
        elif kind == "moving_variance":
            z = 0.75 + 0.25 * z**2
        else:
            z *= 0.1 if kind == "b" else 0.2
        weights[name] = z.astype(np.float32)
    return weights


@pytest.fixture(scope="session")
def i3d_checkpoint(i3d_weights, tmp_path_factory) -> Path:
    """The folder of a TensorFlow checkpoint with `i3d_weights`."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("i3d")
    names = sorted(i3d_weights)
    tf.raw_ops.SaveV2(
        prefix=str(folder / "model.ckpt"),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[i3d_weights[name] for name in names],
    )
    return folder


@pytest.fixture(scope="session")
def i3d_network(i3d_checkpoint):
    """I3D from `i3d_checkpoint`, built and traced once for all tests."""
    from hvp.distances.i3d import I3D

    return I3D(i3d_checkpoint)
