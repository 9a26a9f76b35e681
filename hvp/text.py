"""Names of files as people can read them, and as folders can be called. They need not be text."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

LONGEST = 80  # bytes of a folder's name; file systems take 255


def printable(name: object) -> str:
    """`name` on one line, with what is no valid text escaped, so that any terminal takes it."""
    return "".join(
        character if character == " " or character.isprintable() else ascii(character)[1:-1]
        for character in valid_text(name)
    )


def one_line(message: object) -> str:
    """A message as one line that any terminal shows: white space becomes single blanks."""
    return printable(" ".join(str(message).split()))


def valid_text(name: object) -> str:
    """`name` with what is no valid text (bytes of a file's name, say) escaped."""
    return str(name).encode("utf-8", "backslashreplace").decode()


def nearest(word: str, candidates: Iterable[str], prefix: str = "") -> str:
    """How a message about an unknown name goes on: the nearest valid one, else all of them.

    Args:
        prefix: of the name that is shown, such as `data.`.

    Example:
        >>> nearest("khr", ["kth", "mazes"])
        "; did you mean 'kth'?"
    """
    candidates = list(candidates)
    close = difflib.get_close_matches(word, candidates, n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{prefix}{close[0]}'?"
    return f"; valid: {', '.join(candidates)}" if candidates else ""


def name_problem(name: str) -> str | None:
    """Why `name` is none for a folder or file of ours, as the end of a line; `None` where it is.

    Example:
        >>> name_problem("kth")
        >>> name_problem("a/b")
        "is 'a/b'; use a plain name without slashes"
    """
    found = f"is {shortened(name, LONGEST)!r}; use a"
    if not name or "/" in name or "\\" in name:
        return f"{found} plain name without slashes"
    if name.startswith("."):
        return f"{found} name that does not begin with a dot"
    if valid_text(name) != name or any(unicodedata.category(c) == "Cc" for c in name):
        return f"{found} name of plain characters"
    if len(name.encode()) > LONGEST:
        return f"{found} name of at most {LONGEST} bytes"
    return None


def shortened(name: str, length: int) -> str:
    """At most `length` characters of `name`: its beginning and its end."""
    if len(name) <= length:
        return name
    end = (length - 1) // 2
    return f"{name[: length - 1 - end]}…{name[-end:]}"


def folder_names(paths: Sequence[Path], taken: Iterable[str] = ()) -> list[str]:
    """A folder's name for each of some videos: plain, different from each other, never hidden.

    Args:
        paths: of the videos.
        taken: names that must not be given.

    Example:
        >>> folder_names([Path("a.avi"), Path("b.avi"), Path("b.mp4")])
        ['a', 'b', 'b.mp4']
    """
    taken = {name.casefold() for name in taken}
    names = []
    for path in paths:
        plain = _plain(path.name if path.is_dir() else path.stem)
        candidates = [plain, _plain(path.name)]
        candidates += [f"{plain}-{number}" for number in range(2, len(paths) + 2)]
        # Some file systems do not tell A from a.
        name = next(candidate for candidate in candidates if candidate.casefold() not in taken)
        taken.add(name.casefold())
        names.append(name)
    return names


def _plain(name: str) -> str:
    text = unicodedata.normalize("NFC", printable(name))
    plain = re.sub(r"[^\w.+-]+", "_", text).lstrip(".")
    # Cut by bytes, which are what file systems count.
    return plain.encode("utf-8")[:LONGEST].decode("utf-8", "ignore").rstrip(".") or "video"


def natural_key(path: Path) -> list[tuple[int, object]]:
    """Sorts `2.avi` before `10.avi`."""
    parts = re.split(r"(\d+)", path.name)
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]
