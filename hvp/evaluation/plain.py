"""Numbers as files hold them, and as people read them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hvp.metrics.statistics import Curve


def number(value: float) -> float | None:
    """A JSON number; `None` for what a single video leaves undefined."""
    return float(value) if math.isfinite(value) else None


def numbers(values: np.ndarray) -> Any:
    """The same of an array of any shape, as nested lists."""
    if np.ndim(values) == 0:
        return number(float(values))
    return [numbers(value) for value in values]


def overall(curve: Curve) -> dict[str, float | None]:
    """Mean over the horizon."""
    return {"mean": number(curve.overall), "ci95": number(curve.overall_interval)}


def per_frame(curve: Curve) -> dict[str, list[float | None]]:
    """Mean of each frame."""
    return {"mean": numbers(curve.mean), "ci95": numbers(curve.interval)}


def with_interval(mean: float | None, interval: float | None, decimals: int, sign: str = "") -> str:
    """`mean ± half width`; the mean alone without an interval, as of a single video."""
    if mean is None:
        return ""
    text = f"{mean:{sign}.{decimals}f}"
    if interval is None or not math.isfinite(interval):
        return text
    return f"{text} ± {interval:.{decimals}f}"


def fact(value: float | None) -> str:
    """A number without an interval, in four digits; a dash where there is none."""
    return "–" if value is None else f"{value:.4g}"
