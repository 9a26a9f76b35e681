"""What every record of results says of the software that it was made with."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

import hvp


def made_with() -> dict[str, str]:
    """Versions and the date, to stand in a record beside the numbers. Imports TensorFlow."""
    import tensorflow as tf

    return {
        "hvp_version": hvp.__version__,
        "tensorflow_version": tf.__version__,
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def commit() -> str:
    """The commit of the checkout that hvp runs from, with `+` for changed files; else empty."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return ""
    described = ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--dirty=+"]
    try:
        done = subprocess.run(described, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return ""
    return done.stdout.strip()
