"""What the sections of a configuration are made of: checked dataclasses and the types of settings.

A section is a frozen dataclass that pydantic checks: types without silent conversions, ranges,
unknown keys. The line under a field describes it, for readers, editors (`hvp config-schema`) and
`configs/base.yml` alike.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import pydantic.dataclasses
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import PydanticKnownError

from hvp.config.mistakes import explain

RULES = ConfigDict(
    strict=True,
    extra="forbid",
    allow_inf_nan=False,
    use_attribute_docstrings=True,
    arbitrary_types_allowed=True,  # other packages' families may have any
)


class _Auto(int):
    """No number that a file can hold: -1 in a file is refused."""


AUTO = _Auto(-1)  # what the lengths hold that are `auto`, until the data are known
LARGEST = 10**15  # of any count: beyond what can be meant, and safe in 64 bits
Item = TypeVar("Item")


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-4, without a point, as a string."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _integer(value: Any) -> Any:
    """A `Literal` of integers alone would take true for 1."""
    if type(value) is not int:
        raise PydanticKnownError("int_type")
    return value


def _location(value: Any) -> str:
    """Any file's name, which need not be valid text as a pydantic string must."""
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    if "\0" in value:
        raise ValueError("must be the name of a file, which has no NUL character")
    return value


def _or_auto(value: Any, check: Callable[[Any], Any]) -> Any:
    return AUTO if value == "auto" or isinstance(value, _Auto) else check(value)


def _length_schema(least: int) -> WithJsonSchema:
    number = {"type": "integer", "minimum": least, "maximum": LARGEST}
    return WithJsonSchema({"anyOf": [number, {"const": "auto"}]})


NUMBER = BeforeValidator(_number)
INTEGER = BeforeValidator(_integer)
Count = Annotated[int, Field(ge=1, le=LARGEST)]
Interval = Annotated[int, Field(ge=0, le=LARGEST)]  # 0: never
Length = Annotated[Count, WrapValidator(_or_auto), _length_schema(1)]  # frames, or auto
Context = Annotated[Interval, WrapValidator(_or_auto), _length_schema(0)]
Size = Annotated[int, Field(ge=1, le=16384)]  # features, channels: what a matrix is made of
Depth = Annotated[int, Field(ge=1, le=256)]  # layers
Number = Annotated[float, NUMBER]
Positive = Annotated[float, Field(gt=0), NUMBER]
Factor = Annotated[float, Field(gt=0, le=16), NUMBER]  # of a published number of features
NonNegative = Annotated[float, Field(ge=0), NUMBER]
Share = Annotated[float, Field(ge=0, le=1), NUMBER]
Decay = Annotated[float, Field(ge=0, lt=1), NUMBER]
Location = Annotated[str, PlainValidator(_location), WithJsonSchema({"type": "string"})]
Items = Annotated[list[Item], Field(strict=False)]  # tuples become lists

if TYPE_CHECKING:
    from dataclasses import dataclass as section
else:

    def section(*, frozen: bool = True) -> Callable[[type], type]:
        """A class decorator: a dataclass whose settings are checked when an object is made.

        Raises:
            SettingError: a `ValueError` of one line, when an object of the class is made.
        """

        def decorate(plain: type) -> type:
            checked = pydantic.dataclasses.dataclass(plain, frozen=frozen, config=RULES)
            construct = checked.__init__
            names = [field.name for field in dataclasses.fields(checked)]

            @functools.wraps(construct)
            def __init__(self: Any, *settings: Any, **named: Any) -> None:
                given = {**dict(zip(names, settings, strict=False)), **named}
                try:
                    construct(self, **given)
                except ValidationError as error:
                    raise explain(error, checked, given) from None

            checked.__init__ = __init__
            return checked

        return decorate
