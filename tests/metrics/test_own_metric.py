"""A metric from outside the package: `example_metric.py`, which the documentation shows."""

from __future__ import annotations

import dataclasses
import sys
from importlib import metadata
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from hvp.errors import UserError
from hvp.evaluation.open_loop import OpenLoopSettings
from hvp.metrics import METRICS, PROTOCOLS, register_metric
from hvp.metrics.registry import Metrics


@pytest.fixture(scope="module")
def example():
    sys.path.insert(0, str(Path(__file__).parent))
    import example_metric

    yield example_metric
    sys.path.remove(str(Path(__file__).parent))
    METRICS._others._registered.clear()


def test_edge_error_measures_edges(example):
    flat = tf.zeros((2, 3, 8, 8, 1))
    edge = np.zeros((2, 3, 8, 8, 1), np.float32)
    edge[..., 4:, :, :] = 1  # one step of height 1 in 7 differences along the height
    error = METRICS["edge_error"].load()(flat, tf.stack([flat, edge]))
    assert error.shape == (2, 2, 3)
    np.testing.assert_allclose(error[0], 0)
    np.testing.assert_allclose(error[1], 1 / 7, rtol=1e-6)


def test_a_registered_metric_is_known_everywhere(example):
    assert list(METRICS)[:5] == ["mse", "mae", "psnr", "ssim", "lpips"]
    assert "edge_error" in METRICS
    assert len(METRICS) == len(list(METRICS)) == 9
    OpenLoopSettings(context=1, horizon=1, metrics=("edge_error",))
    described = PROTOCOLS["svg"].describe(["edge_error"])["conventions"]["edge_error"]
    assert described["name"] == "default"
    register_metric(dataclasses.replace(example.EDGE_ERROR, label="again"))  # a notebook's cell
    assert METRICS["edge_error"].label == "again"
    register_metric(example.EDGE_ERROR)


def test_metrics_of_installed_packages(example):
    point = metadata.EntryPoint("edges", "example_metric:EDGE_ERROR", "hvp.metrics")
    with mock.patch("importlib.metadata.entry_points", return_value=[point]) as asked:
        metrics = Metrics()
        assert "edges" in metrics
        assert metrics["edges"] is example.EDGE_ERROR
    asked.assert_called_once_with(group="hvp.metrics")


def test_mistakes(example):
    with pytest.raises(UserError, match="'mse' is there already"):
        register_metric(dataclasses.replace(example.EDGE_ERROR, name="mse"))
    with pytest.raises(UserError, match="need one called 'default'"):
        register_metric(dataclasses.replace(example.EDGE_ERROR, conventions={"mine": "words"}))
    with pytest.raises(UserError, match="consists of letters"):
        register_metric(dataclasses.replace(example.EDGE_ERROR, name="no name"))
    with pytest.raises(KeyError):
        METRICS["unheard"]
