"""README and the pages of docs/, taken apart."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = {
    str(path.relative_to(ROOT)): path
    for path in (README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
}
SCRIPTS = {"train.py": "train", "eval_with_lpips.py": "evaluate"}
# Included files are ```{ .python }: ruff takes the line that includes one for an expression.
_FENCE = re.compile(r"^```(?:\{ \.)?(\w*)(?: \})?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->\s*\Z")
_SNIPPET = re.compile(r'^--8<-- "(.+)"$', re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its language, its text, and why it is not run, if it is not."""

    language: str
    text: str
    not_run: str | None


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, with the files they include."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            match[1],
            _SNIPPET.sub(lambda name: (ROOT / name[1]).read_text(encoding="utf-8"), match[2]),
            reason[1] if (reason := _NOT_RUN.search(text[: match.start()])) else None,
        )
        for match in _FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """The text of a page outside its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def inline_code(page: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(page))


def as_command(line: str) -> tuple[str, list[str]] | None:
    """The command and the arguments of a command line of ours, else `None`."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # an unfinished quote: no command line
        return None
    words = words[: words.index(">")] if ">" in words else words
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0], re.DOTALL):  # environment variables
        del words[0]
    if words[:3] == ["python", "-m", "hvp"]:
        words = ["hvp", *words[3:]]
    if words[:1] == ["hvp"] and len(words) > 1 and not words[1].startswith("-"):
        return words[1], words[2:]
    if words[:1] == ["python"] and len(words) > 1 and words[1] in SCRIPTS:
        return SCRIPTS[words[1]], words[2:]
    return None


def command_lines(page: Path) -> list[str]:
    """All lines of fenced blocks that start a command of ours."""
    return [
        line
        for block in blocks(page)
        if block.language in ("", "bash", "console")
        for line in block.text.splitlines()
        if as_command(line)
    ]
