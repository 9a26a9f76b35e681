"""Pydantic's findings about a section as one line: what was expected and what was found."""

from __future__ import annotations

import dataclasses
import math
import reprlib
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError

from hvp.text import nearest

RANGE_ERRORS = {
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "finite_number",
}
UNKNOWN_ERRORS = {"unexpected_keyword_argument", "extra_forbidden"}
LARGEST_TOLD = 256  # limits above are far beyond what is meant: told only to who breaks them


class SettingError(ValueError):
    """A setting that its section refuses.

    Attributes:
        key: the setting; `None` where several do not go together.
        problem: what is wrong with it, such as `must be at least 1, found 0`.
        kind: an unknown key, a value of the wrong type, or a value that cannot be meant.
    """

    def __init__(self, key: str | None, problem: str, kind: Literal["key", "type", "value"]):
        super().__init__(problem if key is None else f"{key} {problem}")
        self.key, self.problem, self.kind = key, problem, kind


def explain(error: ValidationError, section: type, given: Mapping[str, Any]) -> SettingError:
    """The first of pydantic's findings about `section(**given)`."""
    found = error.errors(include_url=False)
    first = found[0]
    if not first["loc"]:  # the section's own check of several settings
        cause = first.get("ctx", {}).get("error", first["msg"])
        return cause if isinstance(cause, SettingError) else SettingError(None, str(cause), "value")
    key = str(first["loc"][0])
    if first["type"] in UNKNOWN_ERRORS:
        names = [field.name for field in dataclasses.fields(section)]
        return SettingError(key, f"is no setting{nearest(key, names)}", "key")
    if key not in given:
        return SettingError(key, "is missing", "value")
    # A union reports each of its types: the one that fits but for its range says most.
    same = [item for item in found if item["loc"][:1] == first["loc"][:1]]
    first = next((item for item in same if item["type"] in RANGE_ERRORS), first)
    hint = typing.get_type_hints(section, include_extras=True)[key]
    if first["type"] in RANGE_ERRORS:
        return SettingError(key, _out_of_range(first, hint, given[key]), "value")
    if first["type"] == "value_error":
        return SettingError(key, str(first["ctx"]["error"]), "value")
    plain = typing.get_type_hints(section)[key]
    return SettingError(key, f"must be {_described(plain)}, found {shown(given[key])}", "type")


def _out_of_range(error: Any, hint: Any, given: Any) -> str:
    wanted = _Limits.of(hint).wanted(error["input"])
    if isinstance(given, Mapping):
        where = f"{shown(error['input'])} at {error['loc'][-1]}"
        return f"must be {wanted or 'finite numbers'}, found {where}"
    if error["type"] == "finite_number" and not isinstance(given, (list, tuple)):
        kind = "a number" if math.isnan(float(given)) else "a finite number"
        wanted = f"{kind} {wanted.removeprefix('a number').strip()}".strip()
    return f"must be {wanted or 'finite numbers'}, found {shown(given)}"


@dataclasses.dataclass
class _Limits:
    """The limits of a setting, of what it holds where it is a list or a mapping."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    whole: bool = False  # an integer

    @classmethod
    def of(cls, hint: Any) -> _Limits:
        limits = cls(whole=hint is int)
        for annotation in getattr(hint, "__metadata__", ()):
            for constraint in getattr(annotation, "metadata", ()):
                for name in ("ge", "gt", "le", "lt"):
                    if hasattr(constraint, name):
                        setattr(limits, name, getattr(constraint, name))
        for argument in typing.get_args(hint):
            for name, value in vars(cls.of(argument)).items():
                if value is not None and value is not False:
                    setattr(limits, name, value)
        return limits

    def wanted(self, value: Any) -> str:
        """How a message names the limits that `value` breaks."""
        if self.le is not None and self.le > LARGEST_TOLD:
            if value > self.le:
                return f"at most {self.le}"
        elif self.le is not None:
            return f"{self.ge} to {self.le}" if self.gt is None else f"above 0, at most {self.le}"
        if self.ge is not None and self.lt is not None:
            return f"from {self.ge} to below {self.lt}"
        if self.ge is not None:
            return f"{'at least' if self.whole else 'a number from'} {self.ge}"
        if self.gt is not None and self.lt is not None:
            return f"above {self.gt} and below {self.lt}"
        return "" if self.gt is None else f"above {self.gt}"


def shown(value: Any) -> str:
    """A value as messages show it: short, whatever it is."""
    return _SHORT.repr(value)


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, 100, 100

    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:  # Python writes no numbers of more than 4300 digits
            return f"a number of about {round(x.bit_length() * 0.30103)} digits"


_SHORT = _Short()


def _described(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_described(option) for option in arguments)
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (list, tuple):
        return f"a list of {_described(arguments[0])}"
    if origin is dict:
        return f"a mapping of {_described(arguments[0])} to {_described(arguments[1])}"
    names = {
        int: "an integer",
        float: "a number",
        bool: "true or false",
        str: "a string",
        types.NoneType: "null",
    }
    return names.get(hint, getattr(hint, "__name__", str(hint)))
