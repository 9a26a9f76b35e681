"""What a run was trained with: `starts.jsonl` in its folder, a line whenever training starts."""

from __future__ import annotations

import json
from pathlib import Path

from hvp.errors import writing
from hvp.provenance import commit, made_with

STARTS_FILE = "starts.jsonl"


def add_start(run: Path, step: int) -> None:
    """Notes that training goes on from `step`, and by which software.

    Raises:
        UserError: if the file cannot be written.
    """
    line = json.dumps({"step": step, **made_with(), "commit": commit()})
    path = run / STARTS_FILE
    with writing(path), path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def commits(run: Path, step: int) -> str | None:
    """The commits that trained a run up to `step`, the first one first; None if nobody knows.

    Starts that were given up, as later ones went back to an earlier step, do not count.
    """
    found: list[tuple[int, str]] = []
    try:
        for line in (run / STARTS_FILE).read_text(encoding="utf-8").splitlines():
            start = json.loads(line)
            number, name = int(start["step"]), str(start["commit"])
            found = [earlier for earlier in found if earlier[0] < number]
            found.append((number, name))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    names = [name for number, name in found if number < max(step, 1)]
    return ", ".join(dict.fromkeys(filter(None, names))) or None
