"""The scores rank the oracle of a known law first, and see each fault (bench/score_faults.py)."""

import importlib.util
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench" / "score_faults.py"
FAULTS = ["too narrow (noise / 2)", "too wide (noise x 2)", "biased (+ 0.02)", "one mode missing"]


@pytest.fixture(scope="module")
def found():
    spec = importlib.util.spec_from_file_location("score_faults", BENCH)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    return bench.scorecards(600, 10, ["oracle", *FAULTS])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("score", ["crps", "energy"])
def test_the_oracle_ranks_first(found, score, fault):
    assert found["oracle"][score][0] < found[fault][score][0]


def test_the_oracle_is_found_honest(found):
    oracle = {score: value for score, (value, _) in found["oracle"].items()}
    assert oracle["spread_skill"] == pytest.approx(1, abs=0.03)
    assert oracle["diversity"] == pytest.approx(1, abs=0.03)
    assert oracle["best of n, over the calibrated"] == pytest.approx(1, abs=0.03)
    assert oracle["widest interval, pixels"] == pytest.approx(9 / 11, abs=0.01)
    reliability, by_chance = found["oracle"]["rank reliability, pixels"]
    assert reliability < 3 * by_chance


@pytest.mark.parametrize(
    ("fault", "score", "sign"),
    [
        ("too narrow (noise / 2)", "spread_skill", -1),
        ("too narrow (noise / 2)", "widest interval, projections", -1),
        ("too wide (noise x 2)", "spread_skill", 1),
        ("too wide (noise x 2)", "best of n, over the calibrated", -1),
        ("biased (+ 0.02)", "mean rank", -1),
        ("one mode missing", "diversity", -1),
        ("one mode missing", "variogram", 1),
    ],
)
def test_faults_are_seen(found, fault, score, sign):
    difference = found[fault][score][0] - found["oracle"][score][0]
    assert sign * difference > found[fault][score][1]


def test_best_of_n_prefers_a_forecast_that_is_too_sure(found):
    """Why it is not enough."""
    assert found["too narrow (noise / 2)"]["best of N"][0] < found["oracle"]["best of N"][0]
