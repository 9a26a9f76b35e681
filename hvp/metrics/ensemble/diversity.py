"""Diversity: how samples differ from one another, beside how they differ from the truth."""

from __future__ import annotations

from typing import Any

from hvp.metrics.ensemble.kernel_score import KernelScore


def diversity(energy: KernelScore) -> tuple[Any, Any]:
    """Mean distance between two samples, and between a sample and the truth.

    Their quotient, of means over contexts, is 1 for a calibrated forecast, 0 for samples that are
    all the same, above 1 for scattered ones.

    Args:
        energy: of `energy_score`.
    """
    return energy.between, energy.to_truth
