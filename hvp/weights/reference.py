"""Models from the original constructor arguments and the original variables."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from hvp.errors import UserError

# Family name in a reference configuration -> module with `build(config)`, which returns
# `(model, {original variable name: our variable})`.
REFERENCES = {
    "hierarchical_residual": "hvp.weights.hierarchical",
    "clockwork_vae": "hvp.weights.hierarchical",
}


def from_reference(config: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> Any:
    """Builds a family's model from the original's arguments and loads the original's variables.

    Args:
        config: the original constructor arguments by their original names; `config["model"]` names
            the family (`hierarchical_residual`, `clockwork_vae`).
        weights: original variable name -> array.

    Returns:
        The built `VideoModel` with the weights loaded.

    Raises:
        UserError: for an unknown family, and for missing, unexpected or wrongly shaped variables:
            all of them are listed in one message.

    Example:
        >>> golden = np.load("hierarchical_residual.npz")
        >>> weights = {k[8:]: golden[k] for k in golden.files if k.startswith("weights/")}
        >>> model = from_reference(json.loads(str(golden["config"])), weights)
    """
    family = config.get("model")
    if family not in REFERENCES:
        raise UserError(
            f"reference configuration: 'model' is {family!r}; valid: {', '.join(REFERENCES)}"
        )
    model, variables = importlib.import_module(REFERENCES[family]).build(config)
    assign_by_name(variables, weights)
    return model


def assign_by_name(variables: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> None:
    """Assigns every array to the variable of its name, or lists all that does not fit.

    Raises:
        UserError: naming every missing, unexpected or wrongly shaped variable. Nothing is assigned.
    """
    problems = [f"missing {name}" for name in variables if name not in weights]
    problems += [f"unexpected {name}" for name in weights if name not in variables]
    problems += [
        f"{name} has shape {tuple(weights[name].shape)}, the model's is {tuple(variable.shape)}"
        for name, variable in variables.items()
        if name in weights and tuple(weights[name].shape) != tuple(variable.shape)
    ]
    if problems:
        raise UserError(f"weights do not fit the model: {'; '.join(problems)}")
    for name, variable in variables.items():
        variable.assign(weights[name])
