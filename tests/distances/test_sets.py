"""Kernel distance, neighbourhoods, extrapolation: closed forms, TF-GAN's, simulations."""

import numpy as np
import pytest
import tensorflow as tf

from hvp.distances.extrapolation import extrapolated_frechet, save_extrapolation
from hvp.distances.frechet import frechet_distance
from hvp.distances.kernel import kernel_distance
from hvp.distances.neighbours import neighbourhoods
from hvp.distances.sets import compare_sets, warnings_for
from hvp.errors import UserError
from hvp.tf_gan import tensorflow_gan


def normal(count, features=8, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(size=(count, features)) + shift


def test_kernel_distance_is_tf_gans():
    a, b = normal(40), normal(40, shift=0.3, seed=1)
    expected = tensorflow_gan().eval.kernel_classifier_distance_from_activations(
        tf.constant(a), tf.constant(b)
    )
    assert kernel_distance(a, b).value == pytest.approx(float(expected), rel=1e-6)


def test_kernel_distance_of_normal_laws():
    """E k(x, y) of independent x, y with means m, n: E (x y / d + 1)^3, by the moments of x y."""

    def expected(m, n, d):
        # x y = sum of d products; first three moments of a sum of independent terms
        mean, second = m * n, (1 + m**2) * (1 + n**2)
        third = (m**3 + 3 * m) * (n**3 + 3 * n)
        s1 = d * mean
        s2 = d * second + d * (d - 1) * mean**2
        s3 = d * third + 3 * d * (d - 1) * second * mean + d * (d - 1) * (d - 2) * mean**3
        return s3 / d**3 + 3 * s2 / d**2 + 3 * s1 / d + 1

    d, shift = 8, 0.5
    truth = expected(0, 0, d) + expected(shift, shift, d) - 2 * expected(0, shift, d)
    found = kernel_distance(normal(2000), normal(2000, shift=shift, seed=1))
    assert found.value == pytest.approx(truth, abs=4 * found.stddev)
    assert found.stddev < 0.1 * truth


def test_kernel_distance_has_no_bias_and_its_deviation_is_what_repetitions_have():
    random = np.random.default_rng(0)
    found = [
        kernel_distance(random.normal(size=(30, 4)), random.normal(size=(30, 4)) + 0.4)
        for _ in range(300)
    ]
    values, stated = np.array(found).T
    assert values.std() == pytest.approx(np.sqrt(np.mean(stated**2)), rel=0.2)
    equal = [
        kernel_distance(random.normal(size=(20, 4)), random.normal(size=(20, 4))).value
        for _ in range(300)
    ]
    assert abs(np.mean(equal)) < 3 * np.std(equal) / np.sqrt(300)
    assert np.min(equal) < 0 < np.max(equal)


def test_neighbourhoods_know_a_missing_kind_from_implausible_videos():
    kinds = np.repeat([[0.0], [10.0]], 50, 0)
    real = normal(100, 2) + kinds
    whole = neighbourhoods(real, normal(100, 2, seed=1) + kinds)
    assert min(whole) > 0.75
    half = neighbourhoods(real, normal(100, 2, seed=2))  # one kind alone
    assert half.precision > 0.9
    assert half.recall == pytest.approx(0.5, abs=0.1)
    assert half.coverage == pytest.approx(0.5, abs=0.1)
    far = neighbourhoods(real, normal(100, 2, seed=3, shift=100.0))
    assert far == (0, 0, 0, 0)


def test_neighbourhoods_count_as_defined():
    real, fake = np.array([[0.0], [1.0], [3.0]]), np.array([[0.5], [9.0], [9.5]])
    # radii of the real ones 1, 1, 2; of the fake ones 8.5, 0.5, 0.5
    found = neighbourhoods(real, fake, k=1)
    assert found == pytest.approx((1 / 3, 1.0, 2 / 3, 2 / 3))


def test_extrapolation_takes_the_bias_away_and_knows_how_well():
    """Normal laws of 16 features, 0.5 apart in each: the true distance is 4."""
    inside, values, plain = [], [], []
    for seed in range(3):
        a, b = normal(200, 16, seed=seed), normal(200, 16, shift=0.5, seed=100 + seed)
        found = extrapolated_frechet(a, b, seed, replicates=6)
        values.append(found.value)
        plain.append(frechet_distance(a, b))
        inside.append(abs(found.value - 4.0) < found.interval)
        np.testing.assert_array_equal(found.numbers[[0, -1]], [50, 200])
        assert found.slope > 0
        assert found.distances[0] > found.distances[-1]
    assert abs(np.mean(values) - 4.0) < abs(np.mean(plain) - 4.0)
    assert sum(inside) >= 2


def test_extrapolation_is_drawn_and_needs_videos(tmp_path):
    found = extrapolated_frechet(normal(40, 3), normal(40, 3, seed=1), replicates=3)
    save_extrapolation(found, tmp_path / "fit.png")
    assert (tmp_path / "fit.png").stat().st_size > 5000
    with pytest.raises(UserError, match="needs 32 videos of each set, found 20"):
        extrapolated_frechet(normal(20), normal(40))


def test_few_videos_leave_numbers_out_and_warn():
    found = compare_sets(normal(5), normal(5, seed=1))
    assert found["kernel_distance"]["value"] is not None
    assert found["neighbourhoods"] is None
    assert compare_sets(normal(2), normal(2))["kernel_distance"] is None
    lines = warnings_for(20, 8, ["fvd", "kernel_distance"])
    assert len(lines) == 2
    assert lines[0].startswith("20 videos are few for FVD")
    assert (
        warnings_for(2048, 64, ["fvd", "kernel_distance", "neighbourhoods", "extrapolated"]) == []
    )
    (line,) = warnings_for(1024, 400, ["fvd", "extrapolated"])
    assert "below 1600" in line
