"""Two files of timings beside each other: what is faster, and what only seems so."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hvp.errors import UserError

# What tells rows apart, and what a row must hold to be compared.
KEYS = ("config", "what", "settings")
NUMBERS = ("seconds", "least", "most", "product")


@dataclasses.dataclass(frozen=True)
class Ratio:
    """How much faster the second of two timings is.

    Attributes:
        median, low, high: the first's time over the second's, in matrix products of their own runs:
            of the medians, and the least and the most that single repeats give.
    """

    median: float
    low: float
    high: float

    @property
    def within_spread(self) -> bool:
        """Whether repeats of one are as far apart as the two."""
        return self.low <= 1.0 <= self.high

    def __str__(self) -> str:
        seen = " within the spread" if self.within_spread else ""
        return f"{self.median:6.2f}x ({self.low:.2f}-{self.high:.2f}){seen}"


def ratio(first: dict[str, Any], second: dict[str, Any]) -> Ratio:
    """Of two rows, as `hvp.timing.cases.rows_of` gives them."""
    unit = second["product"] / first["product"]
    return Ratio(
        unit * first["seconds"] / second["seconds"],
        unit * first["least"] / second["most"],
        unit * first["most"] / second["least"],
    )


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a file that `hvp bench --json` wrote, a JSON object a line.

    Raises:
        UserError: if it is no such file.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
        if not rows or not all({*KEYS, *NUMBERS} <= row.keys() for row in rows):
            raise ValueError
        if not all(row[name] > 0 for row in rows for name in NUMBERS):
            raise ValueError
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except (ValueError, AttributeError, TypeError):
        raise UserError(f"{path}: not a file that hvp bench --json writes") from None
    return rows


def comparison(first: Iterable[dict[str, Any]], second: Iterable[dict[str, Any]]) -> list[str]:
    """Lines for people: rows of the same work, the last of each, and rows that one file lacks."""
    old, new = ({_key(row): row for row in rows} for rows in (first, second))
    lines = [f"{'':48} {'first':>10} {'second':>10}   {'speed, second / first':>21}"]
    for key, row in old.items():
        name = _name(row)
        if key in new:
            times = f"{row['seconds']:9.4f}s {new[key]['seconds']:9.4f}s"
            lines.append(f"{name:48} {times}   {ratio(row, new[key])}{_memory(row, new[key])}")
        else:
            lines.append(f"{name:48} only in the first")
    lines += [f"{_name(row):48} only in the second" for key, row in new.items() if key not in old]
    devices = {row.get("device") for row in [*old.values(), *new.values()]}
    if len(devices) > 1:
        lines.append(
            "note: of different devices; ratios are of times in matrix products of each, good to "
            "perhaps 25 %"
        )
    return lines


def _name(row: dict[str, Any]) -> str:
    return f"{row['config']}, {row['what']}{_shown(row['settings'])}"


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["config"], row["what"], json.dumps(row["settings"], sort_keys=True)


def _shown(settings: dict[str, Any]) -> str:
    return f", {settings['precision']}" if settings.get("precision", "float32") != "float32" else ""


def _memory(first: dict[str, Any], second: dict[str, Any]) -> str:
    peaks = first.get("peak_memory_gib"), second.get("peak_memory_gib")
    return "" if None in peaks else f"; {peaks[0]:.2f} -> {peaks[1]:.2f} GiB"
