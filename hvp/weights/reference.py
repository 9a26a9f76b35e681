"""Models from the original constructor arguments and the original variables."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from hvp.errors import UserError

# Family name in a reference configuration -> module with `build(config)`, which returns
# `(model, {original variable name: our variable or Target})`, and perhaps
# `is_unused(family, name)`, which tells what the original stores without computing with it, and
# `finish(model)`, called once the variables are loaded.
REFERENCES = {
    "hierarchical_residual": "hvp.weights.hierarchical",
    "clockwork_vae": "hvp.weights.hierarchical",
    "sdfnet": "hvp.weights.frequency_nets",
    "dfdnet": "hvp.weights.frequency_nets",
    "motion_gan_generator": "hvp.weights.motion_gan",
    "ImageDiscriminator": "hvp.weights.motion_gan",
    "PatchImageDiscriminator": "hvp.weights.motion_gan",
    "VideoDiscriminator": "hvp.weights.motion_gan",
    "PatchVideoDiscriminator": "hvp.weights.motion_gan",
    "DeltaVideoDiscriminator": "hvp.weights.motion_gan",
}


class Target(NamedTuple):
    """A variable, and how an array of the original's layout becomes one of ours."""

    variable: Any
    convert: Callable[[np.ndarray], np.ndarray]


def from_reference(config: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> Any:
    """Builds a family's model from the original's arguments and loads the original's variables.

    Args:
        config: the original constructor arguments by their original names; `config["model"]` names
            the family, a key of `REFERENCES`.
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
    module = importlib.import_module(REFERENCES[family])
    model, variables = module.build(config)
    if hasattr(module, "is_unused"):
        weights = {k: array for k, array in weights.items() if not module.is_unused(family, k)}
    assign_by_name(variables, weights)
    if hasattr(module, "finish"):
        module.finish(model)
    return model


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
