"""Stochastic Moving MNIST and forking shapes: their rules, and their stated law."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from hvp.data.sources import forking_shapes as forking
from hvp.data.sources import stochastic_moving_mnist as stochastic


def test_digits_stay_on_the_canvas_and_bounce_at_random():
    random = np.random.default_rng(0)
    bounces = 0
    for _ in range(50):
        places = stochastic.trajectory(random, 40)
        assert places.min() >= 0
        assert places.max() <= stochastic.LAST
        steps = np.diff(places, axis=0)
        assert np.abs(steps).max() <= stochastic.FASTEST
        changed = np.flatnonzero(np.any(steps[1:] != steps[:-1], axis=1)) + 1
        # A velocity changes at a wall only, one frame after the step into it was cut short.
        at_wall = ((places == 0) | (places == stochastic.LAST)).any(axis=1)
        assert all(at_wall[t] or at_wall[t + 1] for t in changed)
        bounces += len(changed)
    assert bounces > 50


PROBABILITIES = (0.6, 0.3, 0.1)


def test_law_sums_to_one_and_follows_the_cue():
    for kind in range(3):
        law = forking.Law(forking.Start(kind, 0, 1, False), PROBABILITIES, forks=2)
        assert sum(law.outcomes().values()) == pytest.approx(1)
    laws = [forking.Law(forking.Start(k, 0, 1, False), PROBABILITIES, 1) for k in range(3)]
    assert [law.outcomes()[(0,)] for law in laws] == pytest.approx([0.6, 0.1, 0.3])


def test_samples_follow_the_law():
    random, count = np.random.default_rng(1), 4000
    law = forking.Law(forking.Start(1, 2, 0, True), PROBABILITIES, forks=2)
    futures = [law.sample(random, 30) for _ in range(count)]
    seen = Counter(future.branches for future in futures)
    assert set(law.outcomes()) == set(itertools.product(range(3), repeat=2))
    for branches, probability in law.outcomes().items():
        error = 4 * np.sqrt(probability * (1 - probability) / count)
        assert seen[branches] / count == pytest.approx(probability, abs=error), branches
    lit = np.mean([future.lamp for future in futures], axis=0)
    np.testing.assert_allclose(lit, law.lamp(4), atol=4 * np.sqrt(0.25 / count))


@pytest.mark.parametrize(("size", "channels"), [((32, 32), 1), ((24, 40), 3)])
def test_context_shows_what_the_law_depends_on(size, channels):
    random = np.random.default_rng(2)
    for _ in range(6):
        start = forking.draw_start(random)
        future = forking.Law(start, PROBABILITIES, 1).sample(random, 20)
        video = forking.render(start, future, 20, *size, channels)
        assert video.shape == (20, *size, channels)
        assert forking.read_start(video[:10].astype(np.float32) / 255) == start


def test_branches_part_at_the_fork_and_not_before():
    start = forking.Start(0, 3, 1, False)
    ways = [forking.positions(start, (branch,), 20) for branch in range(3)]
    np.testing.assert_array_equal(ways[0][:11], ways[1][:11])
    np.testing.assert_array_equal(ways[0][:11], ways[2][:11])
    np.testing.assert_allclose(ways[1][11] - ways[1][10], (0, -forking.STEP))  # upwards, straight
    np.testing.assert_allclose(ways[0][11] - ways[0][10], (-forking.STEP, 0))  # left
    np.testing.assert_allclose(ways[2][11] - ways[2][10], (forking.STEP, 0))  # right
    longer = forking.positions(start, (1,), 60)
    assert longer.min() >= forking.RADIUS
    assert longer.max() <= 1 - forking.RADIUS
