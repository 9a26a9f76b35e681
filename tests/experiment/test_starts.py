"""Which software trained a run."""

from __future__ import annotations

import json

import hvp
from hvp.experiment import starts
from hvp.experiment.starts import add_start, commits


def test_commits_follow_the_starts_that_lasted(tmp_path, monkeypatch):
    assert commits(tmp_path, 5) is None
    for step, commit in ((0, "a"), (4, "b"), (8, "c"), (6, "d"), (7, "d")):
        monkeypatch.setattr(starts, "commit", lambda name=commit: name)
        add_start(tmp_path, step)
    # What c trained was undone: the run went back to step 6.
    assert commits(tmp_path, 9) == "a, b, d"
    assert commits(tmp_path, 4) == "a"
    line = json.loads((tmp_path / "starts.jsonl").read_text().splitlines()[1])
    assert (line["step"], line["hvp_version"]) == (4, hvp.__version__)


def test_an_untrained_model_is_of_the_first_start(tmp_path, monkeypatch):
    monkeypatch.setattr(starts, "commit", lambda: "a")
    add_start(tmp_path, 0)
    assert commits(tmp_path, 0) == "a"


def test_nobody_knows_of_a_damaged_record(tmp_path):
    (tmp_path / "starts.jsonl").write_text('{"step": 0}\n')
    assert commits(tmp_path, 1) is None
