"""Metric validation: which metrics prefer which prediction."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from run_files import eager_functions

from hvp.__main__ import main
from hvp.evaluation.metric_agreement import (
    FREQUENCY,
    TRADITIONAL,
    agreement,
    blurred,
    compare,
    copy_last,
    write_page,
)

CONTEXT, HORIZON = 3, 4


def batches(videos):
    names = tf.constant([f"clip {i}" for i in range(len(videos))])
    yield {"video": tf.constant(videos), "name": names}


@pytest.fixture
def videos():
    return np.random.default_rng(0).random((3, CONTEXT + HORIZON, 16, 16, 1), "float32")


def test_every_metric_prefers_the_truth(videos):
    def truth(context, horizon):
        return tf.constant(videos[:, CONTEXT:])

    comparisons = compare(truth, copy_last, batches(videos), CONTEXT, HORIZON)
    assert len(comparisons) == 3
    for comparison in comparisons:
        assert set(comparison.scores) == {*TRADITIONAL, *FREQUENCY}
        assert all(comparison.prefers_first(metric) for metric in comparison.scores)
        assert comparison.disagreement() == 0
    assert all(share == 1 for by in agreement(comparisons).values() for share in by.values())


def test_blur_pleases_mse_and_not_the_spectrum(videos):
    """Noise for a prediction of other noise: its blur is nearer in MSE, but not as rich."""
    noise = tf.constant(np.random.default_rng(1).random((3, HORIZON, 16, 16, 1), "float32"))

    def sharp(context, horizon):
        return noise

    comparisons = compare(sharp, blurred(sharp, 1.0), batches(videos), CONTEXT, HORIZON)
    assert not any(c.prefers_first("MSE") for c in comparisons)
    assert all(c.prefers_first("3DFL") for c in comparisons)
    assert agreement(comparisons)["MSE"]["3DFL"] == 0
    assert all(c.disagreement() > 0 for c in comparisons)


def test_the_page(videos, tmp_path):
    noise = tf.constant(np.random.default_rng(1).random((3, HORIZON, 16, 16, 1), "float32"))
    comparisons = compare(lambda *_: noise, copy_last, batches(videos), CONTEXT, HORIZON) + compare(
        lambda *_: noise, blurred(lambda *_: noise, 1.0), batches(videos), CONTEXT, HORIZON
    )
    page = write_page(comparisons, ("a", "b <b>"), CONTEXT, tmp_path / "out", {"seed": 0}, shown=2)
    text = page.read_text()
    assert "b &lt;b&gt;" in text
    for number in (1, 2):
        assert f"pair_{number}.png" in text
        assert (page.parent / f"pair_{number}.gif").stat().st_size > 0
    content = json.loads((page.parent / "metric_validation.json").read_text())
    assert len(content["contexts"]) == 6
    assert 0 <= content["agreement"]["SSIM"]["WFL"] <= 1


def test_the_command(copied_run, capsys):
    folder = copied_run
    with eager_functions():
        assert main(["validate-metrics", "--logdir", str(folder), "--num-examples", "2"]) == 0
    page = folder / "metric_validation/metric_validation.html"
    assert f"2 contexts compared: {page}" in capsys.readouterr().out
    assert main(["validate-metrics", "--logdir", str(folder), "--against", "nowhere"]) == 2
    assert "nowhere: no such folder" in capsys.readouterr().err
    assert main(["validate-metrics", "--logdir", str(folder), "--num-examples", "0"]) == 2
    assert "--num-examples must be at least 1" in capsys.readouterr().err
