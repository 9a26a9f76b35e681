"""Downloads that go on where they stopped, checked by SHA-256 where the sum is known.

Pooch checks what arrives and puts it in place. It starts each download anew; data sets have files
of gigabytes, so one small downloader of ours keeps what has arrived and asks the server for the
rest.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvp.errors import UserError, writing

if TYPE_CHECKING:
    import requests

BLOCK = 2**16
SECONDS_WITHOUT_DATA = 60


def retrieve(url: str, sha256: str | None, folder: Path, name: str, by_hand: str) -> Path:
    """The file `name` in `folder`, downloaded unless it is there and is the published one.

    What has arrived of a broken download is kept in `NAME.part`; the next call goes on from there.

    Args:
        url: where the file is published.
        sha256: of its content; `None`: its publisher states none, and any file there will do.
        by_hand: what to do with a file that was fetched elsewhere, for messages: `name it by
            --source`.

    Raises:
        UserError: if the server cannot be reached, the connection breaks (the same command goes
            on), the file is not the published one, or the folder cannot be written to.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")  # the progress bar says what is downloaded
    target = folder / name
    part = folder / f"{name}.part"
    other = f"Or fetch it elsewhere and {by_hand}"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            pooch.retrieve(
                url,
                known_hash=sha256 and f"sha256:{sha256}",
                fname=name,
                path=folder,
                downloader=_Resuming(part),
            )
        except requests.RequestException as error:  # an OSError too, but none of writing
            arrived = part.stat().st_size / 2**20 if part.is_file() else 0
            kept = f"; {arrived:.0f} MiB are kept, the same command goes on" if arrived else ""
            reason = _reason(error)
            raise UserError(f"cannot download {url} ({reason}){kept}. {other}") from error
        except ValueError:  # pooch's check of the sum
            raise UserError(
                f"{url} is not the published file (its SHA-256 differs). {other}"
            ) from None
    return target


class _Resuming:
    """A downloader for pooch.

    Args:
        part: keeps what has arrived, until all of it has.
    """

    def __init__(self, part: Path):
        self.part = part

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        import requests

        start = self.part.stat().st_size if self.part.is_file() else 0
        headers = {"Accept-Encoding": "identity"}  # ranges count the file's own bytes
        if start:
            headers["Range"] = f"bytes={start}-"
        with requests.get(
            url, headers=headers, stream=True, timeout=SECONDS_WITHOUT_DATA
        ) as response:
            if not (response.status_code == 416 and start):  # 416: all of it had arrived
                response.raise_for_status()
                # A server that knows no ranges sends all of it again.
                self._append(response, start if response.status_code == 206 else 0)
        self.part.replace(output_file)

    def _append(self, response: requests.Response, start: int) -> None:
        from tqdm import tqdm

        length = response.headers.get("Content-Length")
        with (
            self.part.open("ab" if start else "wb") as file,
            tqdm(
                desc=self.part.stem,
                total=start + int(length) if length else None,
                initial=start,
                unit="B",
                unit_scale=True,
                disable=not sys.stderr.isatty(),
            ) as progress,
        ):
            for block in response.iter_content(BLOCK):
                file.write(block)
                progress.update(len(block))


def _reason(error: BaseException) -> str:
    """What went wrong, without the address that libraries repeat."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"no answer within {SECONDS_WITHOUT_DATA} s"
    cause: BaseException | None = error
    while cause is not None:  # the system's own words lie at the bottom of the chain
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "the connection broke"
    return type(error).__name__
