"""Which checkpoint of a run is meant, and whether it is whole. Does not import TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hvp.errors import UserError, to_stderr
from hvp.experiment.checkpoint_files import PREFIX, CheckpointFiles, read_json
from hvp.experiment.folder import BEST_FOLDER, MODEL_FOLDER

BEST_SCORE_FILE = "score.json"


def newest_step(folder: Path) -> int:
    """The step of the newest numbered checkpoint of a run, 0 without one."""
    return max(CheckpointFiles(folder / MODEL_FOLDER).steps(), default=0)


def best_score(best: CheckpointFiles) -> dict[str, Any] | None:
    """`metric`, `value` and `step` of the best checkpoint; None if they, or it, are lost."""
    score = read_json(best.folder / BEST_SCORE_FILE)
    kinds: dict[str, Any] = {"metric": str, "value": (int, float), "step": int}
    if not isinstance(score, dict) or score.get("step") not in best.steps():
        return None
    return score if all(isinstance(score.get(k), kind) for k, kind in kinds.items()) else None


def find_checkpoint(folder: Path, checkpoint: str | int = "latest") -> str:
    """The prefix of a run's checkpoint, as `choose_checkpoint` takes it."""
    files, step = choose_checkpoint(folder, checkpoint)
    return files.prefix(step)


def choose_checkpoint(
    folder: Path, checkpoint: str | int, report: Callable[[str], None] = to_stderr
) -> tuple[CheckpointFiles, int]:
    """A checkpoint of the run in `folder` that is whole.

    Args:
        folder: of a run.
        checkpoint: `latest`, `best` or the step of one that was kept. For a damaged latest or best
            one, the newest beside it that is whole is taken.
        report: called with a note then.

    Returns:
        Where it is, and its step.

    Raises:
        UserError: if there is none such, or none that is whole.
    """
    numbered = CheckpointFiles(folder / MODEL_FOLDER)
    kept = numbered.steps()
    known = f"kept: {', '.join(map(str, kept))}" if kept else "train first"
    missing = UserError(f"{numbered.folder}: no checkpoint {checkpoint!r}; {known}")
    if checkpoint == "best":
        best = CheckpointFiles(numbered.folder / BEST_FOLDER)
        if not best.steps():
            raise missing
        return best, _newest_whole(best, report, (best_score(best) or {}).get("step"))
    if checkpoint == "latest":
        if not kept:
            raise missing
        return numbered, _newest_whole(numbered, report)
    step = int(checkpoint) if re.fullmatch(r"\d{1,18}", str(checkpoint)) else None
    if step not in kept:
        raise missing
    if problem := numbered.problem(step):
        raise UserError(
            f"{numbered.prefix(step)}: cannot be read ({problem}); {known}; name another one with "
            "--checkpoint N"
        )
    return numbered, step


def _newest_whole(
    files: CheckpointFiles, report: Callable[[str], None], first: int | None = None
) -> int:
    step, problems = files.newest_whole(first)
    if step is None:
        raise UserError(
            f"{files.folder}: no checkpoint can be read ({'; '.join(problems)}); copy them back "
            "from elsewhere, or start another run with --set name=NEW"
        )
    if problems:
        report(f"note: damaged: {'; '.join(problems)}; taking {PREFIX}-{step}")
    return step
