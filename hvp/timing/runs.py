"""Timings of one experiment, each in a process of its own, and the settings that make it fast."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from hvp.config import ExperimentConfig
from hvp.errors import UserError
from hvp.provenance import commit, made_with
from hvp.timing.clock import in_own_process
from hvp.timing.comparison import ratio

MODULE = ("-m", "hvp.timing.cases")
# Of `training`, besides the batch: what speed depends on and a record must say.
SETTINGS = ("precision", "tf32", "xla", "steps_per_call")
STEPS_PER_CALL = 20
GAIN = 1.03  # less is not worth a setting


def timed(
    config: ExperimentConfig,
    kind: str,
    repeats: int,
    count: bool = True,
    timeout: float | None = None,
) -> list[dict[str, Any]]:
    """The rows of one case, with what it was: `config`, `family`, `settings`, versions, date.

    Args:
        config: with lengths in place of `auto`.
        kind: of `hvp.timing.KINDS`.
        repeats: of which the median is told.
        count: whether operations are counted as well.
        timeout: seconds.

    Raises:
        UserError: why it cannot be timed.
    """
    case = {"kind": kind, "config": config.to_dict(), "repeats": repeats, "count": count}
    rows = in_own_process(MODULE, case, timeout)
    about = {
        "config": config.name,
        "family": config.model.family,
        "settings": _settings(config, kind),
        "frame": [config.data.height, config.data.width, config.data.channels],
        "repeats": repeats,
    }
    return [{**about, **row, **made_with(), "commit": commit()} for row in rows]


def _settings(config: ExperimentConfig, kind: str) -> dict[str, Any]:
    chosen = {name: getattr(config.training, name) for name in SETTINGS}
    if kind == "rollout":  # which is no update
        chosen = {name: chosen[name] for name in ("precision", "tf32")}
        return chosen | {"batch_size": config.evaluation.batch_size}
    return chosen | {
        "batch_size": config.training.batch_size,
        "strategy": config.training.strategy,
        "frames": config.data.seq_len,
    }


def line_of(row: dict[str, Any]) -> str:
    """A row for people."""
    spread = f"({row['least']:.4g}-{row['most']:.4g})"
    line = f"{row['what']:38} {row['seconds']:9.4g} s {spread:>19} {row['products']:9.2f}"
    flop = "-" if row["flop"] is None else f"{row['flop'] / 1e9:.4g}"
    share = "-" if row["share"] is None else f"{row['share']:.0%}"
    peak = "-" if row["peak_memory_gib"] is None else f"{row['peak_memory_gib']:.2f}"
    return f"{line} {flop:>9} {share:>6} {row['frames_per_second']:10.4g} {peak:>6}"


HEAD = (
    f"{'':38} {'median':>11} {'(least-most)':>19} {'products':>9} {'GFLOP':>9} {'share':>6} "
    f"{'frames/s':>10} {'GiB':>6}"
)


@dataclasses.dataclass(frozen=True)
class Trial:
    """One way to train: what is set, and what it changes besides the speed."""

    changes: dict[str, Any]
    caution: str = ""

    def __str__(self) -> str:
        return " ".join(f"--set training.{name}={_yaml(v)}" for name, v in self.changes.items())


def trials(has_gpu: bool) -> list[Trial]:
    """The settings that are tried one by one."""
    found = [
        Trial({"steps_per_call": STEPS_PER_CALL}, "the same numbers"),
        Trial({"precision": "mixed_bfloat16"}, "8-bit mantissas: compare the scores"),
        Trial({"xla": True}, "other rounding, a longer start"),
    ]
    if has_gpu:
        found.append(Trial({"tf32": False}, "exact float32 products"))
    return found


def try_settings(
    config: ExperimentConfig,
    has_gpu: bool,
    repeats: int,
    seconds: float,
    report: Callable[[str], None] = print,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Times an update as configured and with each of `trials`, then with all that gained together.

    Args:
        seconds: after which nothing more is begun, and what runs is given up.
        report: called with each line for the user.

    Returns:
        All rows, and the settings of `training` to use.

    Raises:
        UserError: if the configuration itself does not train.
    """
    end = time.monotonic() + seconds
    plain = _changed(config, {"precision": "float32", "xla": False, "steps_per_call": 1})
    rows = base = timed(plain, "train", repeats, count=False, timeout=seconds)
    report(_trial_line("float32, nothing set", base, base, ""))
    gained: dict[str, Any] = {}
    best, alone = 1.0, gained
    for trial in trials(has_gpu):
        found, line = _tried(plain, trial, base, repeats, end)
        report(line)
        rows = rows + found
        if found and _gain(base, found) > GAIN and not ratio(base[0], found[0]).within_spread:
            gained |= trial.changes
            best, alone = max((best, alone), (_gain(base, found), trial.changes), key=itemgetter(0))
    if len(gained) > 1:
        together, line = _tried(plain, Trial(gained), base, repeats, end)
        report(line)
        rows = rows + together
        if not together or _gain(base, together) < best:  # they do not add up
            gained = alone
    return rows, gained


def _tried(
    plain: ExperimentConfig, trial: Trial, base: Sequence[dict], repeats: int, end: float
) -> tuple[list[dict[str, Any]], str]:
    left = end - time.monotonic()
    if left <= 0:
        return [], f"{trial!s:58} not tried: no time left"
    try:
        found = timed(_changed(plain, trial.changes), "train", repeats, False, left)
    except UserError as error:
        return [], f"{trial!s:58} does not work: {error}"
    return found, _trial_line(str(trial), base, found, trial.caution)


def _changed(config: ExperimentConfig, changes: dict[str, Any]) -> ExperimentConfig:
    return config.replace("training", **changes)


def _trial_line(name: str, base: Sequence[dict], rows: Sequence[dict], caution: str) -> str:
    row = rows[0]
    speed = "" if rows is base else f" {ratio(base[0], row)}"
    loss = f"; first loss {row['loss']:.6g}"
    return f"{name:58} {row['seconds']:9.4g} s{speed}{loss}{caution and f'; {caution}'}"


def _gain(base: Sequence[dict], rows: Sequence[dict]) -> float:
    """Of the kind of update that is most frequent, which is the first row."""
    return ratio(base[0], rows[0]).median


def as_flags(changes: dict[str, Any]) -> str:
    """`--set` for each."""
    return str(Trial(changes))


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def each(config: ExperimentConfig, precisions: Sequence[str]) -> Iterator[ExperimentConfig]:
    """The experiment in each precision, or in its own if none is named."""
    for precision in precisions or [config.training.precision]:
        yield _changed(config, {"precision": precision})
