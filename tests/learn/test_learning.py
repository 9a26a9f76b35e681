"""Every family learns as well as when its curves were recorded: `pytest -m learn`.

A change that makes one learn worse ends above its record, by more than the margin, from at least
one of three seeds. One that makes it learn better ends below: see what changed, then run
`python tests/learn/record.py FAMILY`.
"""

from __future__ import annotations

import json

import pytest
from short_trainings import CURVES, SEEDS, TRAININGS, margin_of, short_training

from hvp.families import FAMILIES


def recorded(family):
    return json.loads((CURVES / f"{family}.json").read_text(encoding="utf-8"))


@pytest.mark.learn
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("family", TRAININGS)
def test_a_family_learns_as_it_did(family, seed, tmp_path):
    record, last = recorded(family), TRAININGS[family].steps
    expected, margin = record["curves"][str(seed)][str(last)], record["margin"]
    curve = short_training(family, seed, tmp_path)
    told = f"recorded {expected:.5g}, margin {margin:.2g}, found {curve}"
    assert curve[last] <= expected + margin, f"learns worse: {told}"
    assert curve[last] >= expected - margin, f"learns better, or something else: {told}"


def test_every_family_is_recorded_as_it_is_trained():
    """Else `pytest -m learn` compares with trainings of other settings."""
    assert TRAININGS.keys() == set(FAMILIES)
    for family, short in TRAININGS.items():
        record = recorded(family)
        assert record["config"] == short.config
        assert record["overrides"] == list(short.overrides)
        assert (record["steps"], record["measure"]) == (short.steps, short.measure)
        assert record["curves"].keys() == {str(seed) for seed in SEEDS}
        reached = [curve[str(short.steps)] for curve in record["curves"].values()]
        assert record["margin"] == pytest.approx(margin_of(reached))


@pytest.mark.parametrize("family", TRAININGS)
def test_the_recorded_curves_tell_learning_from_not_learning(family):
    """What was measured first lies beyond the margin of the end, over the seeds."""
    record = recorded(family)
    curves = [[curve[s] for s in sorted(curve, key=int)] for curve in record["curves"].values()]
    first, last = (sum(curve[i] for curve in curves) / len(curves) for i in (0, -1))
    assert first > last + record["margin"]
