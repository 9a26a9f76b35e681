"""The scorecard, gathered batch by batch while an evaluation streams by."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from hvp.drawing.comparison import spread_out
from hvp.evaluation.scorecard.frames import score_batch, score_features
from hvp.evaluation.scorecard.ranks import RankHistogram, RankTally
from hvp.metrics.ensemble.best_of import best_of, calibrated_best_of
from hvp.metrics.ensemble.diversity import diversity
from hvp.metrics.perceptual import LPIPS
from hvp.metrics.registry import METRICS
from hvp.metrics.statistics import ClusteredMean, Curve, CurveTally, RatioTally
from hvp.pixels import to_floats

PARTS = ("score", "spread", "reliability")
PARTS_OF_EXAMPLES = ("score", "copy_last")
# Of the horizon, evenly: long ones need no curve of every frame. Of each context at most this many
# predicted frames are kept until all its samples are there, whatever N is.
STEPS = 32
FRAMES_KEPT = 640
FEATURE_STEPS = 4  # that LPIPS' network sees once more


@dataclasses.dataclass(frozen=True)
class BestOf:
    """Best of n over n, each `(n,)`.

    Attributes:
        mean, interval: of the model, for n = 1, ..., N.
        calibrated, calibrated_interval: if the truth were drawn from the model's own law, for
            n = 1, ..., N - 1; `None` for errors whose distances among samples are not measured.
    """

    mean: np.ndarray
    interval: np.ndarray
    calibrated: np.ndarray | None = None
    calibrated_interval: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Regions:
    """Where in the frame the doubt is honest: root means over contexts and steps.

    Attributes:
        spread: of the samples, as `spread_and_skill` has it, `(height, width)`.
        skill: error of their mean, the same.
    """

    spread: np.ndarray
    skill: np.ndarray


@dataclasses.dataclass(frozen=True)
class Scorecard:
    """What was found.

    Attributes:
        num_samples: N; 1 for a point forecast.
        deterministic: the model's samples are all the same by construction.
        steps: score -> which steps of the horizon it is of, from 0.
        scores: score -> part (`score`, `spread`, `reliability`, `copy_last`) -> `Curve`; a point
            forecast has `score` and `copy_last` alone.
        ratios: `spread_skill` and `diversity`; empty for a point forecast.
        ranks: `pixels` and `projections`; empty for a point forecast.
        best_of: metric -> its curve over n; `squared_error` is of the scored steps, with the
            calibrated model's; empty for a point forecast.
        regions: `None` for a point forecast.
        examples: score -> `score` and, where it is known, `copy_last` -> means over the steps, one
            an example.
    """

    num_samples: int
    deterministic: bool
    steps: dict[str, np.ndarray]
    scores: dict[str, dict[str, Curve]]
    ratios: dict[str, Curve]
    ranks: dict[str, RankHistogram]
    best_of: dict[str, BestOf]
    regions: Regions | None
    examples: dict[str, dict[str, list[float]]] = dataclasses.field(default_factory=dict)


class ScorecardTally:
    """Gathers a `Scorecard`.

    Memory: the kept frames of a batch, at most `FRAMES_KEPT` a context, and a few rows a context.

    Args:
        horizon: predicted frames.
        num_samples: futures a context.
        stochastic: whether the futures differ; if not, the first is judged as a point forecast.
        lpips: its network, for scores on features; `None` goes without.

    Example:
        >>> tally = ScorecardTally(horizon=10, num_samples=20, stochastic=True)
        >>> tally.keep(predicted)      # (20, batch, 10, height, width, channels), or in parts
        >>> tally.update(last_frame, future, ["clip 1", "clip 2"])
        >>> tally.result().scores["crps"]["score"].overall
    """

    def __init__(
        self, horizon: int, num_samples: int, stochastic: bool, lpips: LPIPS | None = None
    ) -> None:
        self.num_samples = num_samples if stochastic else 1
        self.deterministic, self.lpips = not stochastic, lpips
        count = max(FEATURE_STEPS, min(STEPS, FRAMES_KEPT // self.num_samples))
        self.steps = np.array(list(spread_out(0, horizon - 1, count)))
        self._feature_steps = np.array(list(spread_out(0, len(self.steps) - 1, FEATURE_STEPS)))
        self._kept: dict[int, list[tf.Tensor]] = {}  # samples, by their first frame
        self._scores: dict[str, dict[str, CurveTally]] = {}
        self._spread_skill, self._diversity = RatioTally(root=True), RatioTally()
        self._ranks: dict[str, RankTally] = {}
        self._best_of: dict[str, ClusteredMean] = {}
        self._calibrated = ClusteredMean()
        self._maps: np.ndarray | None = None  # (2, height, width)
        self._examples: dict[str, dict[str, list[float]]] = {}
        self._frames = 0

    def keep(self, predicted: tf.Tensor, first: int = 0) -> None:
        """Takes further samples of the batch, `(samples, batch, frames, height, width, channels)`;
        values beyond [0, 1] are clipped.

        Args:
            first: number of their first frame in the horizon.
        """
        part = self._kept.setdefault(first, [])
        left = self.num_samples - sum(int(samples.shape[0]) for samples in part)
        steps = self.steps - first
        steps = steps[(steps >= 0) & (steps < predicted.shape[2])]
        part.append(tf.clip_by_value(tf.gather(predicted[:left], steps, axis=2), 0.0, 1.0))

    def update(
        self, last: tf.Tensor, future: np.ndarray | tf.Tensor, videos: Sequence[str]
    ) -> None:
        """Scores what was kept of a batch.

        Args:
            last: the context's last frame, `(batch, 1, height, width, channels)`.
            future: `(batch, horizon, height, width, channels)`, in [0, 1] or bytes.
            videos: those that the examples are of.
        """
        samples = tf.concat([tf.concat(part, 0) for part in self._kept.values()], 2)
        self._kept = {}
        truth = to_floats(np.asarray(future)[:, self.steps])
        found = score_batch(truth, samples)
        kernels = dict(found.kernels)
        copied = score_batch(truth, tf.repeat(last, len(self.steps), 1)[None]).kernels
        if self.lpips is not None:
            at = self._feature_steps
            kernels |= score_features(
                self.lpips, tf.gather(truth, at, axis=1), tf.gather(samples, at, axis=2)
            )
        for name, kernel in kernels.items():
            parts = {part: getattr(kernel, part) for part in self._parts()}
            if name in copied:
                parts["copy_last"] = copied[name].score
            self._add(name, parts, videos)
        if found.doubt is None:
            return
        self._spread_skill.update(found.doubt.spread, found.doubt.skill, videos)
        self._diversity.update(*diversity(kernels["energy"]), videos)
        for name, shares in found.ranks.items():
            self._ranks.setdefault(name, RankTally()).update(shares, videos)
        self._add_best_of("squared_error", found.to_truth, videos)
        self._calibrated.update(calibrated_best_of(found.between), videos)
        self._maps = found.doubt.maps if self._maps is None else self._maps + found.doubt.maps
        self._frames += len(videos) * len(self.steps)

    def update_metrics(self, scores: Mapping[str, np.ndarray], videos: Sequence[str]) -> None:
        """Adds metrics of all samples, `(samples, batch, horizon)` each, for best of n over n."""
        if self.num_samples > 1:
            for metric, value in scores.items():
                sign = -1.0 if METRICS[metric].higher_is_better else 1.0
                self._add_best_of(metric, sign * value.astype(np.float64).mean(2).T, videos, sign)

    def _add_best_of(
        self, name: str, errors: np.ndarray, videos: Sequence[str], sign: float = 1.0
    ) -> None:
        self._best_of.setdefault(name, ClusteredMean()).update(sign * best_of(errors), videos)

    def _parts(self) -> tuple[str, ...]:
        return PARTS if self.num_samples > 1 else PARTS[:1]

    def _add(self, name: str, parts: Mapping[str, np.ndarray], videos: Sequence[str]) -> None:
        tallies = self._scores.setdefault(name, {part: CurveTally() for part in parts})
        of_examples = self._examples.setdefault(name, {})
        for part, values in parts.items():
            tallies[part].update(np.asarray(values), videos)
            if part in PARTS_OF_EXAMPLES:
                of_examples.setdefault(part, []).extend(np.asarray(values).mean(1).tolist())

    def result(self) -> Scorecard:
        """Of all batches so far, at least one."""
        several = self.num_samples > 1
        scores = {
            name: {part: tally.curve() for part, tally in parts.items()}
            for name, parts in self._scores.items()
        }
        ratios = {"spread_skill": self._spread_skill, "diversity": self._diversity}
        of_features = self.steps[self._feature_steps]
        return Scorecard(
            num_samples=self.num_samples,
            deterministic=self.deterministic,
            steps={
                name: of_features if name.endswith("_lpips") else self.steps
                for name in [*scores, *(ratios if several else ())]
            },
            scores=scores,
            ratios={name: tally.curve() for name, tally in ratios.items()} if several else {},
            ranks={name: tally.histogram() for name, tally in self._ranks.items()},
            best_of={name: self._curve_over_n(name) for name in self._best_of},
            regions=None if self._maps is None else Regions(*np.sqrt(self._maps / self._frames)),
            examples=self._examples,
        )

    def _curve_over_n(self, name: str) -> BestOf:
        tally, own = self._best_of[name], self._calibrated
        if name != "squared_error":
            return BestOf(tally.mean, tally.interval())
        return BestOf(tally.mean, tally.interval(), own.mean, own.interval())
