import numpy as np
import pytest

from hvp.metrics.statistics import CurveTally, RunningMoments


@pytest.mark.parametrize("batches", [[20], [1] * 20, [7, 7, 6], [1, 19]])
def test_streaming_equals_all_at_once(batches):
    rows = np.random.default_rng(0).normal(5, 2, (20, 3))
    moments = RunningMoments()
    for part in np.split(rows, np.cumsum(batches)[:-1]):
        moments.update(part)
    np.testing.assert_allclose(moments.mean, rows.mean(0))
    np.testing.assert_allclose(moments.stddev(), rows.std(0, ddof=1))
    np.testing.assert_allclose(moments.interval(), 1.96 * rows.std(0, ddof=1) / np.sqrt(20))


def test_interval_of_a_known_set():
    tally = CurveTally()
    tally.update(np.array([[1.0, 4.0], [3.0, 4.0]]))  # two contexts, two frames
    curve = tally.curve()
    np.testing.assert_allclose(curve.mean, [2.0, 4.0])
    # s = sqrt(2) for the first frame, so 1.96 * sqrt(2) / sqrt(2)
    np.testing.assert_allclose(curve.interval, [1.96, 0.0])
    # means over time 2.5 and 3.5
    assert curve.overall == pytest.approx(3.0)
    assert curve.overall_interval == pytest.approx(1.96 * 0.5)


def test_a_single_context_has_no_interval():
    tally = CurveTally()
    tally.update(np.array([[1.0, 2.0]]))
    assert np.isnan(tally.curve().interval).all()
    assert tally.curve().overall == 1.5
