"""The Fréchet distance against its golden, and statistics that give the same."""

import numpy as np
import pytest

import hvp
from hvp.distances.frechet import FeatureStatistics, frechet_distance_of_statistics


@pytest.mark.parametrize("prefix", ["", "small_"])  # small: both covariances are singular
def test_golden(golden, prefix):
    stored = golden("frechet")
    a, b = stored[f"inputs/{prefix}activations1"], stored[f"inputs/{prefix}activations2"]
    expected = float(stored[f"outputs/{prefix}distance"])
    assert hvp.distances.frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    statistics = FeatureStatistics.of(a), FeatureStatistics.of(b)
    assert frechet_distance_of_statistics(*statistics) == pytest.approx(expected, rel=1e-6)


def test_merged_parts_are_the_whole():
    # A mean far from 0 against a small spread: sums of squares would lose the covariance.
    features = np.random.default_rng(0).normal(1e4, 0.1, (101, 7))
    whole = FeatureStatistics.of(features)
    merged = FeatureStatistics.of(features[:0])
    for part in np.split(features, [1, 17, 17, 60]):  # of 1, 16, 0, 43 and 41
        merged = merged.merged(FeatureStatistics.of(part))
    assert merged.count == 101
    np.testing.assert_allclose(merged.mean, features.mean(0), rtol=1e-14)
    np.testing.assert_allclose(merged.covariance, np.cov(features.T), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(merged.covariance, whole.covariance, rtol=1e-8, atol=1e-12)


def test_distance_of_statistics_is_that_of_activations():
    random = np.random.default_rng(1)
    mixing = random.normal(size=(40, 40))
    a = random.normal(size=(300, 40)) @ mixing
    b = random.normal(0.3, 1.2, (25, 40)) @ mixing  # fewer vectors than features
    merged = FeatureStatistics.of(a[:100]).merged(FeatureStatistics.of(a[100:]))
    expected = hvp.distances.frechet_distance(a, b)
    measured = frechet_distance_of_statistics(merged, FeatureStatistics.of(b))
    assert measured == pytest.approx(expected, rel=1e-6)
    same = frechet_distance_of_statistics(merged, FeatureStatistics.of(a))
    assert abs(same) < 1e-6 * np.trace(merged.covariance)


def test_refuses_what_has_no_covariance():
    with pytest.raises(ValueError, match="at least two"):
        hvp.distances.frechet_distance(np.ones((1, 3)), np.ones((4, 3)))
    with pytest.raises(ValueError, match="same features"):
        hvp.distances.frechet_distance(np.ones((4, 2)), np.ones((4, 3)))
    with pytest.raises(ValueError, match="at least two feature vectors, found 1"):
        frechet_distance_of_statistics(
            FeatureStatistics.of(np.ones((1, 3))), FeatureStatistics.of(np.ones((4, 3)))
        )
