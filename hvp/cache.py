"""Where what can be made again is kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(kind: str) -> Path:
    """The folder for one kind of files: below HVP_CACHE_DIR, else in the user's cache folder."""
    if os.environ.get("HVP_CACHE_DIR"):
        return Path(os.environ["HVP_CACHE_DIR"]) / kind
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "hvp" / kind
