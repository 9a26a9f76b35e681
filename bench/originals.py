"""What the benchmarks against the originals share: rows beside what the original takes.

Originals are in matrix products (`hvp.timing.clock`), measured by turns with hvp on one machine:
see docs/benchmarks.md.
"""

from __future__ import annotations

from typing import Any

from hvp.timing.clock import in_own_process

HEAD = f"{'median (least-most)':>26} {'products':>19} {'original':>9} {'ratio':>6}"


def use(precision: str) -> None:
    """Imports TensorFlow; models that are made from then on have this precision."""
    import hvp.config  # noqa: F401  # first, as in every command
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import keras

    keras.mixed_precision.set_global_policy(precision)


def shown(row: dict[str, float], original: float | None) -> str:
    """A row of `hvp.timing.clock.measure` beside what its original takes, in products."""
    text = f"{row['seconds']:8.3f} s ({row['least']:.3f}-{row['most']:.3f}) {row['products']:6.1f} "
    text += f"({row['least_products']:.1f}-{row['most_products']:.1f})".rjust(12)
    if original is None:
        return text + " " * 17
    return text + f" {original:9.1f} {original / row['products']:6.2f}x"


def row_of(script: str, case: dict[str, Any]) -> dict[str, Any]:
    """What `python SCRIPT --case JSON` says of a case, in a process of its own."""
    return in_own_process([script, "--case"], case)


def peak_gib() -> float | None:
    """Peak memory of this process, or of the GPU, so far."""
    from hvp.evaluation.cost import peak_memory_gib

    return peak_memory_gib()[0]
