"""YAML text, of files and of overrides."""

from __future__ import annotations

from typing import Any

import yaml

from hvp.errors import UserError

MOST_MERGED = 10_000  # keys; a file of a few lines that merge each other could ask for billions


class _Loader(yaml.SafeLoader):
    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Resolves `<<: *other`, as its name says not."""
        super().flatten_mapping(node)
        if len(node.value) > MOST_MERGED:
            raise yaml.constructor.ConstructorError(
                problem=f"more than {MOST_MERGED} keys in one place", problem_mark=node.start_mark
            )


def parse_yaml(text: str, origin: str, of_file: bool = True) -> Any:
    """What YAML says.

    Args:
        origin: the file or the override, for messages.
        of_file: whether messages name the line too.

    Raises:
        UserError: whatever is wrong with it.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # a safe one
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark and of_file else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", "cannot be parsed")
    except RecursionError:
        where, problem = "", "nested too deeply"
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # How PyYAML fails on values that it takes for numbers or dates and cannot read.
        where, problem = "", "it has a value that is none, such as a number of thousands of digits"
    raise UserError(f"{origin}{where}: not valid YAML: {problem}")
