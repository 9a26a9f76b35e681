"""Things by name: the package's own, a user's own and those of installed packages.

Nothing is imported before it is asked for, so that one broken package disturbs nobody else.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from hvp.errors import UserError
from hvp.text import nearest


class Registry:
    """Names and what they stand for.

    Args:
        what: one of them, for messages: `data set`.
        own: the package's own ones by name, as references `module:name`.
        group: of entry points, by which installed packages add theirs.
    """

    def __init__(self, what: str, own: Mapping[str, str], group: str):
        self._what, self._own, self._group = what, dict(own), group
        self._registered: dict[str, Any] = {}
        self._installed: dict[str, list[metadata.EntryPoint]] | None = None

    def names(self) -> list[str]:
        """All names: the package's own first, in their order. Imports none of them."""
        return list(dict.fromkeys([*self._own, *self._registered, *self._entry_points()]))

    def register(self, name: str, thing: Any) -> None:
        """Adds a class, function or object for this process.

        What is defined again, as by a notebook's cell that runs twice, replaces the former.

        Raises:
            UserError: if the name is taken, or is none.
        """
        if not isinstance(name, str) or not name.isidentifier():
            raise UserError(f"{self._what} {name!r}: a name consists of letters, digits and _")
        if set(self._givers(name)) - {_reference(thing)}:
            raise UserError(f"{self._what} {name!r} is there already; choose another name")
        self._registered[name] = thing

    def find(self, name: str, asked_by: str) -> Any:
        """What `name` stands for.

        Args:
            asked_by: the key or argument that holds the name, for messages: `data.dataset`.

        Raises:
            UserError: for an unknown name (with the nearest one), a name that several packages
                give, and a package that cannot be imported.
        """
        givers = self._givers(name)
        if not givers:
            raise UserError(f"{asked_by} is {name!r}{nearest(str(name), self.names())}")
        if len(givers) > 1:
            raise UserError(
                f"{asked_by} is {name!r}, which several packages give: "
                f"{', '.join(givers.values())}; rename or uninstall one (entry points of the group "
                f"{self._group})"
            )
        if name in self._registered:
            return self._registered[name]
        ((reference, giver),) = givers.items()
        if name in self._own:
            return load(reference)
        try:
            return load(reference)
        except Exception as error:
            raise UserError(
                f"{asked_by} is {name!r}, of the package {giver}, which cannot be imported: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _givers(self, name: str) -> dict[str, str]:
        """Who gives a name, by reference `module:name` of what it stands for."""
        givers = {}
        if name in self._own:
            givers[self._own[name]] = "hvp"
        if name in self._registered:
            givers[_reference(self._registered[name])] = "this process"
        for point in self._entry_points().get(name, []):
            givers[point.value] = point.dist.name if point.dist else point.value
        return givers

    def _entry_points(self) -> dict[str, list[metadata.EntryPoint]]:
        if self._installed is None:
            self._installed = {}
            for point in metadata.entry_points(group=self._group):
                self._installed.setdefault(point.name, []).append(point)
        return self._installed


def _reference(thing: Any) -> str:
    """Where a class or function is defined; of objects, their class."""
    if not hasattr(thing, "__qualname__"):
        return f"an object of {type(thing).__module__}:{type(thing).__qualname__}"
    return f"{thing.__module__}:{thing.__qualname__}"


def load(reference: str) -> Any:
    """What `module:name` refers to."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
