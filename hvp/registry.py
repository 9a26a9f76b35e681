"""Things by name: the package's own, a user's own and those of installed packages.

Nothing is imported before it is asked for, so that one broken package disturbs nobody else.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
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
        """Adds one for this process. What is defined again, as by a notebook's cell, replaces it.

        Raises:
            UserError: if the name is taken, or is none.
        """
        if not isinstance(name, str) or not name.isidentifier():
            raise UserError(f"{self._what} {name!r}: a name consists of letters, digits and _")
        again = name in self._registered and _origin(self._registered[name]) == _origin(thing)
        if name in self.names() and not again:
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
        installed = self._entry_points().get(name, []) if isinstance(name, str) else []
        givers = [point.dist.name if point.dist else point.value for point in installed]
        if name in self._own or name in self._registered:
            givers.append("hvp" if name in self._own else "register")
        if not givers:
            raise UserError(f"{asked_by} is {name!r}{nearest(str(name), self.names())}")
        if len(givers) > 1:
            raise UserError(
                f"{asked_by} is {name!r}, which several packages give: {', '.join(givers)}; rename "
                f"or uninstall one (entry points of the group {self._group})"
            )
        if name in self._registered:
            return self._registered[name]
        if name in self._own:
            return load(self._own[name])
        try:
            return installed[0].load()
        except Exception as error:
            raise UserError(
                f"{asked_by} is {name!r}, of the package {givers[0]}, which cannot be imported: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _entry_points(self) -> dict[str, list[metadata.EntryPoint]]:
        if self._installed is None:
            self._installed = _by_name(metadata.entry_points(group=self._group))
        return self._installed


def _origin(thing: Any) -> tuple[str | None, str | None]:
    return getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)


def load(reference: str) -> Any:
    """What `module:name` refers to."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def _by_name(
    points: Iterable[metadata.EntryPoint],
) -> dict[str, list[metadata.EntryPoint]]:
    """A package found twice on Python's path gives one entry point."""
    found: dict[str, list[metadata.EntryPoint]] = {}
    for point in points:
        same = found.setdefault(point.name, [])
        if (point.value, point.dist and point.dist.name) not in [
            (other.value, other.dist and other.dist.name) for other in same
        ]:
            same.append(point)
    return found
