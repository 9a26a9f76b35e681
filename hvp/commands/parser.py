"""A command line's parser: a mistake in it is one line, with the nearest flag or value."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NoReturn

from hvp.errors import UserError
from hvp.text import name_problem, nearest, printable, valid_text


class Parser(argparse.ArgumentParser):
    """As argparse's, but mistakes are `UserError`s."""

    def error(self, message: str) -> NoReturn:
        """Raises a `UserError`; argparse calls this with what it found."""
        about_one = re.fullmatch(r"argument (\S+): (.*)", message, flags=re.DOTALL)
        if about_one is None:
            raise UserError(f"{message}; see {self.prog} --help")
        # The checks below say "must be ..." of a flag, or "is ..."; argparse's own need the colon.
        plain = about_one[2].startswith(("must ", "is "))
        raise UserError(f"{about_one[1]}{'' if plain else ':'} {about_one[2]}")

    def parse_args(  # type: ignore[override]  # argparse overloads it by the namespace
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> Any:
        """The arguments, or a `UserError` that names the nearest flag to an unknown one."""
        args = sys.argv[1:] if args is None else list(args)
        for word in args:
            if word == "--":
                break
            if word.startswith("--") and " " not in word:
                self._check_flag(word.partition("=")[0])
        arguments, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(f"{unknown[0]!r} is no argument of {self.prog}")
        return arguments

    def _check_flag(self, word: str) -> None:
        """Before argparse, which would first complain of the flag that was meant as missing."""
        flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
        if not any(flag.startswith(word) for flag in flags):  # flags may be shortened
            self.error(f"{word} is no argument of {self.prog}{nearest(word, flags)}")


def choice(
    valid: Collection[str], aliases: Mapping[str, str] | None = None
) -> Callable[[str], str]:
    """An argument's `type`: one of some words, an alias standing for what it means."""
    meaning = {**{word: word for word in valid}, **(aliases or {})}

    def parse(text: str) -> str:
        if text not in meaning:
            raise argparse.ArgumentTypeError(f"is {text!r}{nearest(text, meaning)}")
        return meaning[text]

    return parse


def words(text: str) -> list[str]:
    """An argument's `type`: words with commas between them, each once."""
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def choices(valid: Collection[str]) -> Callable[[str], list[str]]:
    """An argument's `type`: some of these words, with commas between them."""

    def parse(text: str) -> list[str]:
        chosen = words(text.lower())
        for word in chosen:
            if word not in valid:
                raise argparse.ArgumentTypeError(
                    f"is {text}: {word!r} is none of {','.join(valid)}"
                )
        if not chosen:
            raise argparse.ArgumentTypeError(f"is empty; choose of {','.join(valid)}")
        return chosen

    return parse


def place(text: str) -> str:
    """An argument's `type`: a folder or file to write, with a name that ours may have."""
    if valid_text(text) != text:
        raise argparse.ArgumentTypeError(f"is {printable(text)}; use a path of plain characters")
    # A folder named from within, as by `.` or `..`, has a name too.
    if problem := name_problem(os.path.basename(os.path.abspath(text)) if text else text):
        raise argparse.ArgumentTypeError(problem)
    return text


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """An argument's `type`: a whole number from `least` to `most`."""
    return _number(int, "a whole number", least, most)


def real(least: float, most: float) -> Callable[[str], float]:
    """An argument's `type`: a number from `least` to `most`."""
    return _number(float, "a number", least, most)


def _number(kind: Callable[[str], Any], name: str, least: float, most: float | None) -> Any:
    span = f"at least {least:g}" if most is None else f"from {least} to {most}"

    def parse(text: str) -> Any:
        try:
            number = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be {name}, found {text!r}") from None
        if not least <= number or (most is not None and not number <= most):
            raise argparse.ArgumentTypeError(f"must be {span}, found {text}")
        return number

    return parse


def size(text: str) -> tuple[int, int]:
    """An argument's `type`: height and width in pixels, `48x64`, or `64` for both."""
    match = re.fullmatch(r"([1-9]\d{0,3})(?:x([1-9]\d{0,3}))?", text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"is {text}; expected pixels, such as 64, or 48x64 (height x width)"
        )
    return int(match[1]), int(match[2] or match[1])
