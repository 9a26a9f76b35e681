"""Losses by name, as configurations combine them. Importing this does not import TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping

LOSS_NAMES = ("mse", "mae", "frequency_3d", "frequency_3d_linear", "weighted_frequency")


def check_losses(losses: Mapping[str, float]) -> None:
    """Checks a mapping of loss names to weights.

    Raises:
        ValueError: for an unknown name, a negative weight, or no loss at all.
    """
    for name, weight in losses.items():
        if name not in LOSS_NAMES:
            raise ValueError(f"losses has {name!r}; valid: {', '.join(LOSS_NAMES)}")
        if weight < 0:
            raise ValueError(f"losses gives {name} the weight {weight}, which is below 0")
    if not any(losses.values()):
        raise ValueError("losses must give at least one loss a weight above 0")
