"""Processes of their own, the settings that are tried, and the command."""

from __future__ import annotations

import json

import pytest

import hvp
from hvp.__main__ import main
from hvp.errors import UserError
from hvp.timing import clock, runs

SPEED = {"float32": 1.0, "mixed_bfloat16": 0.5}


def fake_rows(seconds, **more):
    return [{
        "what": "train step", "seconds": seconds, "least": 0.99 * seconds, "most": 1.01 * seconds,
        "products": 10 * seconds, "product": 0.1, "loss": 1.0, "flop": None, "share": None,
        "peak_memory_gib": 1.0, "memory_of": "process", "device": "here", "frames_per_second": 1.0,
        **more,
    }]  # fmt: skip


@pytest.fixture
def told(monkeypatch):
    """Cases that would have run; `told.seconds(training)` says how long an update takes."""
    seen = []

    def in_own_process(command, case, timeout=None):
        seen.append(case)
        training = case["config"]["training"]
        return fake_rows(told_seconds["of"](training))

    told_seconds = {"of": lambda training: SPEED[training["precision"]]}
    monkeypatch.setattr(runs, "in_own_process", in_own_process)
    return seen, told_seconds


def test_the_settings_that_gain_are_named(told, capsys):
    seen, seconds = told
    # XLA takes longer; several updates a call gain less than what is worth a setting.
    seconds["of"] = lambda t: (
        SPEED[t["precision"]] * (1.3 if t["xla"] else 1) * (0.99 if t["steps_per_call"] > 1 else 1)
    )
    assert main(["bench", "--config", "convlstm_demo", "--settings"]) == 0
    assert capsys.readouterr().out.endswith("use: --set training.precision=mixed_bfloat16\n")
    assert len(seen) == 4  # as it is, and each of three
    assert not any(case["count"] for case in seen)


def test_settings_that_gain_are_tried_together(told, capsys):
    _, seconds = told
    seconds["of"] = lambda t: SPEED[t["precision"]] * (0.8 if t["steps_per_call"] > 1 else 1)
    rows, chosen = runs.try_settings(hvp.load_config("convlstm_demo"), False, 3, 100.0)
    assert chosen == {"steps_per_call": 20, "precision": "mixed_bfloat16"}
    assert rows[-1]["settings"]["steps_per_call"] == 20
    assert rows[-1]["seconds"] == pytest.approx(0.4)
    assert "2.50x (2.45-2.55)" in capsys.readouterr().out
    # Where together they are slower than the better one, it is that one alone.
    seconds["of"] = lambda t: {(1, "float32"): 1, (20, "float32"): 0.8}.get(
        (t["steps_per_call"], t["precision"]), 0.5 if t["steps_per_call"] == 1 else 0.7
    )
    _, chosen = runs.try_settings(hvp.load_config("convlstm_demo"), False, 3, 100.0)
    assert chosen == {"precision": "mixed_bfloat16"}


def test_tf32_is_tried_where_there_is_a_gpu(told):
    seen, _ = told
    runs.try_settings(hvp.load_config("convlstm_demo"), True, 3, 100.0)
    assert [case["config"]["training"]["tf32"] for case in seen].count(False) == 1


def test_what_is_left_when_time_is_up_is_not_tried(told, capsys):
    seen, _ = told
    _, chosen = runs.try_settings(hvp.load_config("convlstm_demo"), False, 3, 0.0)
    assert len(seen) == 1
    assert chosen == {}
    assert capsys.readouterr().out.count("not tried: no time left") == 3


def test_rows_say_what_they_are_of(told, tmp_path, capsys):
    seen, _ = told
    file = tmp_path / "rows.json"
    flags = [
        "--json",
        str(file),
        "--only",
        "train,rollout",
        "--precision",
        "float32,mixed_bfloat16",
    ]
    assert main(["bench", "--config", "convlstm_demo", *flags]) == 0
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(r["settings"]["precision"], c["kind"]) for r, c in zip(rows, seen, strict=True)] == [
        ("float32", "train"), ("float32", "rollout"),
        ("mixed_bfloat16", "train"), ("mixed_bfloat16", "rollout"),
    ]  # fmt: skip
    assert {"config", "family", "frame", "hvp_version", "date", "commit"} <= rows[0].keys()
    assert main(["bench", "--compare", str(file), str(file)]) == 0
    assert capsys.readouterr().out.count("within the spread") == 4


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--config", "demo", "--settings", "--only", "train"], "leave --only, --precision"),
        (["--config", "demo", "--only", "speed"], "'speed' is none of train,rollout,input"),
        (["--config", "demo", "--compare", "a", "b"], "not allowed with argument"),
        (["--compare", "a", "b"], "a: No such file"),
        ([], "one of the arguments --config --compare is required"),
    ],
)
def test_mistakes_are_one_line(flags, message, capsys):
    assert main(["bench", *flags]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_process_of_its_own(tmp_path):
    script = tmp_path / "case.py"
    script.write_text(
        "import json, sys, time\n"
        "case = json.loads(sys.argv[-1])\n"
        "time.sleep(case.get('sleep', 0))\n"
        "sys.exit('error: no such data') if case.get('fails') else None\n"
        "print('a note'); print(json.dumps([case]))\n"
    )
    assert clock.in_own_process([str(script)], {"a": 1}) == [{"a": 1}]
    with pytest.raises(UserError, match=r"^no such data$"):
        clock.in_own_process([str(script)], {"fails": True})
    with pytest.raises(UserError, match="not done after 0 s"):
        clock.in_own_process([str(script)], {"sleep": 30}, timeout=0.3)
