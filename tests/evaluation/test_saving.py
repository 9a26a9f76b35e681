"""Predictions that an evaluation keeps."""

from __future__ import annotations

import csv
import gc
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf

from hvp.errors import UserError
from hvp.evaluation.saving import PredictionFiles, best_and_worst

CONTEXT, HORIZON = 2, 3


def write_batches(files, batches, samples=3, size=16):
    """One example a batch, its samples as bright as their numbers."""
    for number in range(batches):
        files.begin(tf.zeros((1, CONTEXT + HORIZON, size, size, 1)), [f"clips/a b{number}.avi"])
        for first in range(0, samples, 2):
            level = tf.range(first, min(first + 2, samples), dtype=tf.float32) / 10
            shape = (len(level), 1, HORIZON, size, size, 1)
            files.add(tf.broadcast_to(tf.reshape(level, (-1, 1, 1, 1, 1, 1)), shape))
        values = np.linspace(0, 1, samples)[:, None, None] * np.ones(HORIZON)
        files.end({"mse": values, "psnr": -values})


def test_every_sample_the_best_and_the_worst(tmp_path):
    files = PredictionFiles(tmp_path / "p", ["npz", "gif", "png"], CONTEXT, num_samples=3, limit=2)
    write_batches(files, 3)
    folders = sorted(path.name for path in (tmp_path / "p").iterdir())
    assert folders == ["0001_a_b0", "0002_a_b1", "samples.csv"]
    first = tmp_path / "p/0001_a_b0"
    assert {path.name for path in first.iterdir()} == {
        *("prediction.npz", "comparison.png", "comparison.gif"),
        *(f"sample_{number}.gif" for number in (1, 2, 3)),
        *(f"{which}_{metric}.gif" for which in ("best", "worst") for metric in ("mse", "psnr")),
    }
    arrays = np.load(first / "prediction.npz")
    assert arrays["samples"].shape == (3, HORIZON, 16, 16, 1)
    assert arrays["context"].shape == (CONTEXT, 16, 16, 1)
    assert (arrays["best_mse"], arrays["worst_psnr"]) == (0, 2)
    assert arrays["samples"][arrays["worst_mse"]].max() == round(0.2 * 255)
    assert (first / "worst_mse.gif").read_bytes() == (first / "sample_3.gif").read_bytes()
    with (tmp_path / "p/samples.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3
    assert rows[4] == {
        "folder": "0002_a_b1", "name": "clips/a b1.avi", "sample": "2", "mse": "0.5",
        "psnr": "-0.5",
    }  # fmt: skip


def test_a_single_sample_is_neither_best_nor_worst(tmp_path):
    write_batches(PredictionFiles(tmp_path, ["gif", "npz"], CONTEXT, num_samples=1), 1, samples=1)
    names = sorted(path.name for path in (tmp_path / "0001_a_b0").iterdir())
    assert names == ["comparison.gif", "prediction.npz", "sample_1.gif"]
    assert "best_mse" not in np.load(tmp_path / "0001_a_b0/prediction.npz")


def test_places_follow_the_metrics_direction():
    scores = {"ssim": np.array([0.2, 0.9, 0.1]), "mae": np.array([3.0, 2.0, 4.0])}
    assert best_and_worst(scores) == {
        "best_ssim": 1, "worst_ssim": 2, "best_mae": 1, "worst_mae": 2,
    }  # fmt: skip


def test_memory_does_not_grow_with_the_examples(tmp_path):
    def held(batches):
        files = PredictionFiles(tmp_path / str(batches), ["npz"], CONTEXT, num_samples=3)
        write_batches(files, 1)
        tracemalloc.start()
        write_batches(files, batches, size=64)
        gc.collect()  # some of what wrote the files is freed by the collector only
        left, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return left

    held(1)
    # Half a sample for each batch more: TensorFlow lets go of some objects late.
    assert held(16) < held(2) + 14 * 64 * 64 * HORIZON // 2


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="choose a folder that you can write to"):
        PredictionFiles(tmp_path / "file/p", ["npz"], CONTEXT, 1)
