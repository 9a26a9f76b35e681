"""The published files of data sets."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from hvp.downloads import retrieve


class Download(NamedTuple):
    """A published file."""

    url: str
    sha256: str | None = None  # None: its publisher states none

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[-1]


def fetch(download: Download, folder: Path) -> Path:
    """The file in `folder`, downloaded if it is not there yet.

    A file that is there is taken as it is: it was checked when it came, and is large.

    Raises:
        UserError: as `hvp.downloads.retrieve`.
    """
    target = folder / download.name
    if target.is_file():
        return target
    return retrieve(
        download.url, download.sha256, folder, download.name, by_hand="name it by --source"
    )
