"""Models from the original constructor arguments and the original variables."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from hvp.errors import UserError
from hvp.named_weights import assign_by_name

# Family name in a reference configuration -> module with `build(config)`, which returns
# `(model, {original variable name: our variable or Target})`, and perhaps
# `is_unused(family, name)`, which tells what the original stores without computing with it, and
# `finish(model)`, called once the variables are loaded.
REFERENCES = {
    "hierarchical_residual": "hvp.weights.hierarchical",
    "clockwork_vae": "hvp.weights.hierarchical",
    "sdfnet": "hvp.weights.frequency_nets",
    "dfdnet": "hvp.weights.frequency_nets",
    "simvp": "hvp.weights.simvp",
    "convlstm": "hvp.weights.convlstm",
    "svg_lp": "hvp.weights.svg_lp",
    "motion_gan_generator": "hvp.weights.motion_gan",
    "ImageDiscriminator": "hvp.weights.motion_gan",
    "PatchImageDiscriminator": "hvp.weights.motion_gan",
    "VideoDiscriminator": "hvp.weights.motion_gan",
    "PatchVideoDiscriminator": "hvp.weights.motion_gan",
    "DeltaVideoDiscriminator": "hvp.weights.motion_gan",
}


def load_converter(family: str) -> ModuleType:
    """The module that knows the original's names of a family, a key of `REFERENCES`."""
    return importlib.import_module(REFERENCES[family])


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
    module = load_converter(family)
    model, variables = module.build(config)
    if hasattr(module, "is_unused"):
        weights = {k: array for k, array in weights.items() if not module.is_unused(family, k)}
    assign_by_name(variables, weights)
    if hasattr(module, "finish"):
        module.finish(model)
    return model
