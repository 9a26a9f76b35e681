"""Two results beside each other: ratios in matrix products, spread, what one of them lacks."""

from __future__ import annotations

import json

import pytest

from hvp.errors import UserError
from hvp.timing.comparison import comparison, ratio, read_rows


def row(seconds, spread=0.1, product=0.1, what="train step", device="here", **settings):
    return {
        "config": "demo",
        "what": what,
        "settings": {"precision": "float32", **settings},
        "seconds": seconds,
        "least": seconds * (1 - spread),
        "most": seconds * (1 + spread),
        "product": product,
        "device": device,
    }


def test_ratio_is_of_matrix_products_and_knows_its_spread():
    twice = ratio(row(2.0), row(1.0))
    assert twice.median == pytest.approx(2.0)
    assert twice.low == pytest.approx(1.8 / 1.1)
    assert twice.high == pytest.approx(2.2 / 0.9)
    assert not twice.within_spread
    # A machine of half the speed, on which it takes twice as long, is no difference.
    same = ratio(row(1.0), row(2.0, product=0.2))
    assert same.median == pytest.approx(1.0)
    assert same.within_spread


def test_near_ones_are_within_the_spread():
    assert ratio(row(1.05), row(1.0)).within_spread
    assert not ratio(row(1.05, spread=0.01), row(1.0, spread=0.01)).within_spread


def test_lines_match_rows_of_the_same_work_alone():
    old = [row(2.0), row(3.0, precision="mixed_bfloat16"), row(1.0, what="rollout 2 -> 3")]
    new = [row(9.0), row(1.0), row(3.0, batch_size=2, precision="mixed_bfloat16")]
    lines = comparison(old, new)  # the last of equal ones counts
    assert "demo, train step" in lines[1]
    assert "2.00x (1.64-2.44)" in lines[1]
    assert lines[2].split(",")[-1].split() == ["mixed_bfloat16", "only", "in", "the", "first"]
    assert lines[3].endswith("only in the first")
    assert lines[4].split(",")[-1].split() == ["mixed_bfloat16", "only", "in", "the", "second"]
    assert len(lines) == 5


def test_other_devices_are_said():
    assert "different devices" in comparison([row(1.0)], [row(1.0, device="there")])[-1]


def test_files(tmp_path):
    good = tmp_path / "good.json"
    good.write_text(json.dumps(row(1.0)) + "\n\n" + json.dumps(row(2.0)) + "\n")
    assert [r["seconds"] for r in read_rows(good)] == [1.0, 2.0]
    for text in (
        "",
        "{}",
        "[1]",
        "not JSON",
        json.dumps(row(0.0)),
        json.dumps({**row(1.0), "seconds": "1"}),
    ):
        bad = tmp_path / "bad.json"
        bad.write_text(text)
        with pytest.raises(UserError, match=r"bad\.json: not a file that hvp bench --json writes"):
            read_rows(bad)
    with pytest.raises(UserError, match=r"none\.json: No such file"):
        read_rows(tmp_path / "none.json")
