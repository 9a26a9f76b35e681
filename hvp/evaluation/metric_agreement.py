"""Where traditional metrics and frequency metrics disagree: `python -m hvp validate-metrics`.

Two predictions of the same contexts are judged by MSE, PSNR and SSIM and by the frequency losses of
SDFNet (3DFL) and DFDNet (WFL). Each metric prefers one of the two; the page counts how often each
traditional metric prefers the same one as each frequency metric, and shows the contexts on which
they disagree most, for the reader's eye to judge. After SDFNet's "metric validation".
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from hvp.drawing.examples import Example
from hvp.errors import UserError, writing
from hvp.losses.frequency import Frequency3D, WeightedFrequency
from hvp.metrics import mse, psnr, ssim
from hvp.pixels import to_uint8

TRADITIONAL: dict[str, tuple[Callable, bool]] = {  # metric, higher is better
    "MSE": (mse, False),
    "PSNR": (psnr, True),
    "SSIM": (ssim, True),
}
FREQUENCY: dict[str, Callable] = {
    "3DFL": Frequency3D(log=True),
    "3DFL without log": Frequency3D(log=False),
    "WFL": WeightedFrequency(),
}
Rollout = Callable[[tf.Tensor, int], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two predictions of one context.

    Attributes:
        example: truth and both predictions.
        scores: metric -> the scores of the first and of the second prediction.
    """

    example: Example
    scores: dict[str, tuple[float, float]]

    def prefers_first(self, metric: str) -> bool:
        first, second = self.scores[metric]
        return first > second if _higher_is_better(metric) else first < second

    def margin(self, metric: str) -> float:
        """How clearly a metric prefers one: relative difference of the scores, in [0, 1]."""
        first, second = self.scores[metric]
        return abs(first - second) / max(abs(first), abs(second), 1e-12)

    def disagreement(self) -> float:
        """Largest product of margins over pairs of metrics that prefer different predictions."""
        products = [
            self.margin(t) * self.margin(f)
            for t in TRADITIONAL
            for f in FREQUENCY
            if self.prefers_first(t) != self.prefers_first(f)
        ]
        return max(products, default=0.0)


def _higher_is_better(metric: str) -> bool:
    return metric in TRADITIONAL and TRADITIONAL[metric][1]


def compare(
    first: Rollout,
    second: Rollout,
    batches: Iterable[Mapping[str, tf.Tensor]],
    context: int,
    horizon: int,
) -> list[Comparison]:
    """Judges two predictions of every context by all metrics.

    Args:
        first, second: functions of context frames and horizon, giving clipped predictions
            `(batch, horizon, height, width, channels)`.
        batches: dicts of `video` and `name`, as `VideoSplit.evaluation_batches` gives.
    """
    comparisons = []
    for batch in batches:
        video = batch["video"][:, : context + horizon]
        truth = video[:, context:]
        predictions = [rollout(video[:, :context], horizon) for rollout in (first, second)]
        for i, name in enumerate(batch["name"].numpy()):
            one = slice(i, i + 1)
            scores = {
                metric: (
                    float(tf.reduce_mean(function(truth[one], predictions[0][one]))),
                    float(tf.reduce_mean(function(truth[one], predictions[1][one]))),
                )
                for metric, function in (
                    *((metric, function) for metric, (function, _) in TRADITIONAL.items()),
                    *FREQUENCY.items(),
                )
            }
            samples = np.stack([to_uint8(p[i]) for p in predictions])
            example = Example(name.decode(), to_uint8(video[i]), samples, stddev=None)
            comparisons.append(Comparison(example, scores))
    if not comparisons:
        raise UserError("there is nothing to compare: the data set gave no videos")
    return comparisons


def agreement(comparisons: list[Comparison]) -> dict[str, dict[str, float]]:
    """Traditional metric -> frequency metric -> share of contexts on which both prefer the same."""
    return {
        t: {
            f: float(np.mean([c.prefers_first(t) == c.prefers_first(f) for c in comparisons]))
            for f in FREQUENCY
        }
        for t in TRADITIONAL
    }


def blurred(truth_of: Rollout, strength: float) -> Rollout:
    """The other prediction, blurred in space: a Gaussian of `strength` pixels."""
    radius = int(np.ceil(3 * strength))
    line = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * strength**2))
    kernel = np.outer(line, line) / line.sum() ** 2

    def rollout(context: tf.Tensor, horizon: int) -> tf.Tensor:
        frames = truth_of(context, horizon)
        shape = tf.shape(frames)
        flat = tf.reshape(frames, (-1, *frames.shape[2:]))
        padding = ((0, 0), (radius, radius), (radius, radius), (0, 0))
        flat = tf.pad(flat, padding, mode="SYMMETRIC")
        weights = tf.constant(np.tile(kernel[:, :, None, None], (1, 1, flat.shape[-1], 1)))
        smooth = tf.nn.depthwise_conv2d(
            flat, tf.cast(weights, tf.float32), (1, 1, 1, 1), padding="VALID"
        )
        return tf.reshape(smooth, shape)

    return rollout


def copy_last(context: tf.Tensor, horizon: int) -> tf.Tensor:
    """The last context frame, repeated."""
    return tf.repeat(context[:, -1:], horizon, axis=1)


def write_page(
    comparisons: list[Comparison],
    names: tuple[str, str],
    context: int,
    folder: Path,
    about: Mapping[str, Any],
    shown: int = 6,
) -> Path:
    """Writes `metric_validation.html`, its examples and `metric_validation.json`.

    Args:
        names: of the two predictions.
        about: what was compared, written into the JSON file.
        shown: contexts on which metrics disagree most.

    Returns:
        The page's path.
    """
    from hvp.drawing.comparison import save_comparison_gif, save_grid
    from hvp.drawing.page import render_page

    ranked = sorted(comparisons, key=Comparison.disagreement, reverse=True)
    ranked = [c for c in ranked if c.disagreement() > 0][:shown]
    shares = agreement(comparisons)
    content = {
        "about": dict(about),
        "predictions": list(names),
        "agreement": shares,
        "contexts": [{"name": c.example.name, "scores": c.scores} for c in comparisons],
    }
    page = render_page(
        "metric_agreement.html",
        title=f"Metric validation: {names[0]} and {names[1]}",
        names=names,
        num_contexts=len(comparisons),
        head=["", *FREQUENCY],
        agreement=[[t, *(f"{share:.0%}" for share in by.values())] for t, by in shares.items()],
        pairs=[{"name": c.example.name, "scores": _scores(c, names)} for c in ranked],
    )
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for number, comparison in enumerate(ranked, 1):
            save_grid(comparison.example, context, folder / f"pair_{number}.png")
            save_comparison_gif(comparison.example, context, folder / f"pair_{number}.gif")
        text = json.dumps(content, indent=2)
        (folder / "metric_validation.json").write_text(text, encoding="utf-8")
        path = folder / "metric_validation.html"
        path.write_text(page, encoding="utf-8")
    return path


def _scores(comparison: Comparison, names: tuple[str, str]) -> list[list[str]]:
    """A row a metric: its name, both scores, and whom it prefers."""
    return [
        [
            metric,
            f"{first:.5g}",
            f"{second:.5g}",
            names[0] if comparison.prefers_first(metric) else names[1],
        ]
        for metric, (first, second) in comparison.scores.items()
    ]
