"""3DFL and WFL as metrics, against the originals' numbers."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import hvp
from hvp.metrics import METRICS, PROTOCOLS
from hvp.metrics.frequency import FREQUENCY_3D_CONVENTIONS, WEIGHTED_FREQUENCY_CONVENTIONS

GOLDEN = {
    ("frequency_3d", "default"): "threedfl_log_paper",
    ("frequency_3d", "linear"): "threedfl_nolog_paper",
    ("frequency_3d", "code"): "threedfl_log",
    ("frequency_3d", "code-linear"): "threedfl_nolog",
    ("weighted_frequency", "default"): "weighted_fl_paper",
    ("weighted_frequency", "fftshift"): "weighted_fl_paper_fftshift",
    ("weighted_frequency", "code"): "weighted_fl",
}


@pytest.mark.parametrize(("metric", "convention"), GOLDEN)
def test_golden_values(golden, metric, convention):
    values = golden("frequency_losses")
    true, pred = (values[f"inputs/{n}"].transpose(0, 1, 3, 4, 2) for n in ("target", "pred"))
    function = getattr(hvp.metrics, metric)
    each = function(true, pred, convention)
    assert each.shape == (len(true),)
    assert np.mean(each) == pytest.approx(
        float(values[f"outputs/{GOLDEN[metric, convention]}"]), rel=1e-5
    )
    samples = np.stack([pred, true])
    of_samples = tf.function(function)(true, samples, convention)
    np.testing.assert_allclose(of_samples, [each, np.zeros(len(true))], rtol=1e-5, atol=1e-6)


def test_predictions_are_clipped_but_in_the_codes_conventions():
    random = np.random.default_rng(0)
    true = random.uniform(size=(2, 3, 8, 8, 1)).astype(np.float32)
    pred = true + np.float32(0.5)
    for metric, conventions in (
        ("frequency_3d", FREQUENCY_3D_CONVENTIONS),
        ("weighted_frequency", WEIGHTED_FREQUENCY_CONVENTIONS),
    ):
        assert list(METRICS[metric].conventions) == list(conventions)
        function = getattr(hvp.metrics, metric)
        for convention in conventions:
            same = np.array_equal(
                function(true, pred, convention), function(true, np.clip(pred, 0, 1), convention)
            )
            assert same == (not convention.startswith("code"))
        assert PROTOCOLS["simvp-legacy"].convention(metric) == "code"
