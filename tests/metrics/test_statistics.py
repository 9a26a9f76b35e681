import numpy as np
import pytest

from hvp.metrics.statistics import ClusteredMean, CurveTally, RunningMoments


@pytest.mark.parametrize("batches", [[20], [1] * 20, [7, 7, 6], [1, 19]])
def test_streaming_equals_all_at_once(batches):
    rows = np.random.default_rng(0).normal(5, 2, (20, 3))
    moments = RunningMoments()
    for part in np.split(rows, np.cumsum(batches)[:-1]):
        moments.update(part)
    np.testing.assert_allclose(moments.mean, rows.mean(0))
    np.testing.assert_allclose(moments.stddev(), rows.std(0, ddof=1))


@pytest.mark.parametrize("batches", [[20], [1] * 20, [7, 7, 6], [1, 19]])
def test_rows_of_their_own_have_the_usual_error(batches):
    rows = np.random.default_rng(0).normal(500, 2, (20, 3))
    clusters = ClusteredMean()
    for part in np.split(np.arange(20), np.cumsum(batches)[:-1]):
        clusters.update(rows[part], [str(i) for i in part])
    np.testing.assert_allclose(clusters.mean, rows.mean(0))
    np.testing.assert_allclose(clusters.interval(), 1.96 * rows.std(0, ddof=1) / np.sqrt(20))


def test_rows_of_one_video_count_once():
    """Ten copies of each of eight rows say no more than the eight do."""
    rows = np.random.default_rng(1).normal(size=(8, 2))
    once, copied = ClusteredMean(), ClusteredMean()
    labels = [f"video{i}" for i in range(8)]
    once.update(rows, labels)
    copied.update(np.repeat(rows, 10, axis=0), np.repeat(labels, 10))
    np.testing.assert_allclose(copied.mean, once.mean)
    np.testing.assert_allclose(copied.interval(), once.interval())
    assert (copied.count, copied.clusters) == (80, 8)


def test_the_interval_holds_the_mean_where_windows_of_a_video_resemble_each_other():
    random, hits, naive_hits, trials = np.random.default_rng(2), 0, 0, 400
    for _ in range(trials):
        videos = random.normal(size=(40, 1)) + 0.2 * random.normal(size=(40, 8))
        tally = ClusteredMean()
        tally.update(videos.reshape(-1, 1), np.repeat([str(i) for i in range(40)], 8))
        hits += abs(tally.mean[0]) <= tally.interval()[0]
        naive_hits += abs(videos.mean()) <= 1.96 * videos.std(ddof=1) / np.sqrt(videos.size)
    assert 0.91 < hits / trials < 0.98
    assert naive_hits / trials < 0.6


def test_interval_of_a_known_set():
    tally = CurveTally()
    tally.update(np.array([[1.0, 4.0], [3.0, 4.0]]), ["a", "b"])  # two contexts, two frames
    curve = tally.curve()
    np.testing.assert_allclose(curve.mean, [2.0, 4.0])
    # s = sqrt(2) for the first frame, so 1.96 * sqrt(2) / sqrt(2)
    np.testing.assert_allclose(curve.interval, [1.96, 0.0])
    # means over time 2.5 and 3.5
    assert curve.overall == pytest.approx(3.0)
    assert curve.overall_interval == pytest.approx(1.96 * 0.5)


def test_a_single_context_has_no_interval():
    tally = CurveTally()
    tally.update(np.array([[1.0, 2.0]]), ["a"])
    assert np.isnan(tally.curve().interval).all()
    assert tally.curve().overall == 1.5
