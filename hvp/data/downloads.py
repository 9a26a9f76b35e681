"""Downloads that go on where they stopped, checked by SHA-256 where the sum is known."""

from __future__ import annotations

import http.client
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from hvp.errors import UserError, writing
from hvp.files import file_sha256

BLOCK = 2**18
SECONDS_WITHOUT_DATA = 60


class Download(NamedTuple):
    """A published file."""

    url: str
    sha256: str | None = None  # None: its publisher states none

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[-1]


def fetch(download: Download, folder: Path) -> Path:
    """The file in `folder`, downloaded if it is not there yet.

    What has arrived is kept in `NAME.part`; the next call asks the server for the rest.
    (`keras.utils.get_file`, which the metric networks' small files come by, starts anew.)

    Raises:
        UserError: if the server cannot be reached, the connection breaks (the same command goes
            on), or the file is not the published one.
    """
    target = folder / download.name
    if target.is_file():
        return target
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    try:
        _continue(download.url, part)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as e:
        arrived = part.stat().st_size / 2**20 if part.is_file() else 0
        kept = f"; {arrived:.0f} MiB are kept, the same command goes on" if arrived else ""
        raise UserError(
            f"cannot download {download.url} ({e}){kept}. Or fetch it elsewhere and name it "
            "by --source"
        ) from e
    if download.sha256 is not None and file_sha256(part) != download.sha256:
        part.unlink()
        raise UserError(f"{download.url} is not the published file (its SHA-256 differs)")
    with writing(target):
        os.replace(part, target)
    return target


def _continue(url: str, part: Path) -> None:
    start = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(request, timeout=SECONDS_WITHOUT_DATA)
    except urllib.error.HTTPError as error:
        if error.code == 416 and start:  # nothing follows: all of it had arrived
            return
        raise
    with response, writing(part):
        if response.status != 206:  # this server sends all of it again
            start = 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        with (
            part.open("ab" if start else "wb") as file,
            tqdm(
                desc=part.stem,
                total=total,
                initial=start,
                unit="B",
                unit_scale=True,
                disable=not sys.stderr.isatty(),
            ) as progress,
        ):
            while block := _read(response):
                file.write(block)
                progress.update(len(block))
        if total is not None and part.stat().st_size < total:
            raise http.client.IncompleteRead(b"", total - part.stat().st_size)


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(BLOCK)
    except (TimeoutError, ConnectionError) as error:  # not a failure to write, though an OSError
        raise http.client.HTTPException(f"the connection broke: {error}") from error
