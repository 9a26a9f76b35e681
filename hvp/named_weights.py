"""Variables loaded by name from arrays of another layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from hvp.errors import UserError


class Target(NamedTuple):
    """A variable, and how an array of the original's layout becomes one of ours."""

    variable: Any
    convert: Callable[[np.ndarray], np.ndarray]


def assign_by_name(variables: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> None:
    """Assigns every array to the variable of its name, or lists all that does not fit.

    Raises:
        UserError: naming every missing, unexpected or wrongly shaped variable. Nothing is assigned.
    """
    targets = {
        name: target if isinstance(target, Target) else Target(target, lambda array: array)
        for name, target in variables.items()
    }
    problems = [f"missing {name}" for name in targets if name not in weights]
    problems += [f"unexpected {name}" for name in weights if name not in targets]
    arrays = {}
    for name, target in targets.items():
        if name in weights:
            expected = tuple(target.variable.shape)
            try:
                arrays[name] = target.convert(np.asarray(weights[name]))
            except ValueError:  # not even the number of axes
                arrays[name] = np.asarray(weights[name])
            if arrays[name].shape != expected:
                problems.append(f"{name} has shape {arrays[name].shape}, the model's is {expected}")
    if problems:
        raise UserError(f"weights do not fit the model: {'; '.join(problems)}")
    for name, target in targets.items():
        target.variable.assign(arrays[name])
