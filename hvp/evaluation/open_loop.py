"""Open-loop evaluation: only the context is shown to the model, the horizon is scored."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from hvp.distances.of_predictions import PredictionDistance
from hvp.drawing.examples import Example, Gallery
from hvp.errors import UserError
from hvp.evaluation.batch import BatchScores, Reconstructed
from hvp.evaluation.cost import Cost, CostMeter
from hvp.evaluation.futures import SAMPLES_AT_ONCE, frames_at_once, future_parts
from hvp.evaluation.latents import LatentTally, LevelUse
from hvp.evaluation.scorecard.tally import Scorecard, ScorecardTally
from hvp.evaluation.scorer import Scorer
from hvp.evaluation.spectra import SpectralTally, Spectrum
from hvp.metrics.protocols import find_protocol
from hvp.metrics.registry import METRICS
from hvp.metrics.statistics import Curve, CurveTally
from hvp.models.base import VideoModel
from hvp.models.seeds import fold_in
from hvp.pixels import to_floats

if TYPE_CHECKING:
    from hvp.evaluation.saving import PredictionFiles

KINDS = {
    "best": "best of N, for each metric on its own: the sample with the best mean over time",
    "mean": "mean over the N samples",
    "copy_last": "baseline: the last context frame, repeated",
}
RECONSTRUCTION = "reconstruction"  # a kind of models with latents: what sees every frame


@dataclasses.dataclass(frozen=True)
class OpenLoopSettings:
    """What is evaluated and how.

    Attributes:
        context: frames shown to the model.
        horizon: frames predicted and scored.
        num_samples: futures per context, N.
        seed: decides all sampling.
        metrics: names from `hvp.metrics.METRICS`.
        protocol: a name from `hvp.metrics.PROTOCOLS`.
        weights_dir: where the LPIPS weights are; `None` as `hvp.metrics.LPIPS` explains.
        gallery_examples: leading examples kept for figures; 0 for none.
        gallery_samples: samples of each that are shown, the first ones and not the best.
    """

    context: int
    horizon: int
    num_samples: int = 1
    seed: int = 0
    metrics: tuple[str, ...] = ("mse", "mae", "psnr", "ssim")
    protocol: str = "default"
    weights_dir: str | Path | None = None
    gallery_examples: int = 3
    gallery_samples: int = 3

    def __post_init__(self) -> None:
        for name in ("context", "horizon", "num_samples"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, found {getattr(self, name)}")
        if not self.metrics:
            raise UserError(f"no metrics given; valid: {', '.join(METRICS)}")
        for metric in self.metrics:
            if metric not in METRICS:
                raise UserError(f"unknown metric {metric!r}; valid: {', '.join(METRICS)}")
        find_protocol(self.protocol)


@dataclasses.dataclass
class OpenLoopResult:
    """What `evaluate` found.

    Attributes:
        settings: as given.
        num_examples: contexts evaluated.
        num_videos: that they are of; confidence intervals are over these.
        frame_shape: `(height, width, channels)`.
        curves: metric -> kind (`best`, `mean`, `copy_last`; `reconstruction` of a model with
            latents, by the posterior, which sees every frame) -> `Curve`.
        examples: one dict an example, `name` and `METRIC_KIND` as means over the horizon.
        gallery: the first few examples.
        weights_sha256: of the networks among the metrics, file -> SHA-256.
        spectra: `spatial` and `temporal`, of the truth, each context's first sample, and its error.
        scorecard: of the samples as a forecast.
        videos: that the examples are of, one name an example.
        levels: of latents, the fastest first, and how they are used.
        cost: of predicting, where it was asked for.
    """

    settings: OpenLoopSettings
    num_examples: int
    num_videos: int
    frame_shape: tuple[int, int, int]
    curves: dict[str, dict[str, Curve]]
    examples: list[dict[str, Any]]
    gallery: list[Example]
    weights_sha256: dict[str, str]
    spectra: dict[str, Spectrum]
    scorecard: Scorecard
    videos: list[str] = dataclasses.field(default_factory=list)
    levels: list[LevelUse] = dataclasses.field(default_factory=list)
    cost: Cost | None = None


def evaluate(
    model: VideoModel,
    batches: Iterable[Mapping[str, tf.Tensor]],
    settings: OpenLoopSettings,
    on_batch: Callable[[int], None] | None = None,
    distance: PredictionDistance | None = None,
    cost: CostMeter | None = None,
    files: PredictionFiles | None = None,
) -> OpenLoopResult:
    """Rolls the model out from each context and scores the frames that follow.

    Examples stream through, and the horizon of each part by part: what is kept of each is a row of
    scalars. A stochastic model gets a `(batch, 2)` seed, one row an example, so its samples do not
    depend on the batch size.

    Args:
        model: a predictor.
        batches: dicts of `video` `(batch, time, height, width, channels)`, float32 in [0, 1] or
            bytes, with at least `context + horizon` frames, `name` `(batch,)` strings and, where
            several may be of one video, `source`, its name, those of a video one after the other;
            such as `VideoSplit.evaluation_batches` gives. Their `masks` go to a model that needs
            them.
        settings: see its class.
        on_batch: called after each batch with the number of its examples.
        distance: gathers what the FVD of each context's first sample needs.
        cost: measures the rollouts; the result then says what they cost.
        files: where predictions are written as they come.

    Raises:
        UserError: for too short videos, no videos, predictions that are not finite, and LPIPS
            weights that are missing.

    Example:
        >>> result = evaluate(model, split.evaluation_batches(10), OpenLoopSettings(36, 264))
        >>> result.curves["psnr"]["mean"].overall
    """
    scores = OpenLoopScores(model, settings, distance, cost, files)
    for batch in batches:
        scores.add(batch)
        if on_batch:
            on_batch(len(batch["name"]))
    return scores.result()


class OpenLoopScores:
    """What `evaluate` adds up, batch by batch.

    Args:
        model, settings, distance, cost, files: as of `evaluate`.

    Example:
        >>> scores = OpenLoopScores(model, OpenLoopSettings(36, 264))
        >>> for batch in split.evaluation_batches(10):
        ...     scores.add(batch)
        >>> scores.result().curves["psnr"]["mean"].overall
    """

    def __init__(
        self,
        model: VideoModel,
        settings: OpenLoopSettings,
        distance: PredictionDistance | None = None,
        cost: CostMeter | None = None,
        files: PredictionFiles | None = None,
    ) -> None:
        if settings.context < model.min_context:
            raise UserError(
                f"evaluation.context (--open-loop-ctx) is {settings.context}; this model needs at "
                f"least {model.min_context} frames of context"
            )
        self.model, self.settings, self.distance = model, settings, distance
        self._cost, self._files = cost, files
        protocol = find_protocol(settings.protocol)
        self._clip = protocol.clip_predictions
        self._scorer = Scorer(settings, protocol)
        self._scorecard = ScorecardTally(
            settings.horizon, settings.num_samples, model.stochastic, self._scorer.lpips
        )
        self._tallies: dict[str, dict[str, CurveTally]] = {m: {} for m in settings.metrics}
        self._spectra, self._latents = SpectralTally(), LatentTally()
        self._examples: list[dict[str, Any]] = []
        self._videos: list[str] = []  # of the examples
        self._gallery: list[Example] = []
        self._frame_shape = (0, 0, 0)

    def add(self, batch: Mapping[str, tf.Tensor]) -> None:
        """Predicts and scores one batch, as `evaluate` takes them."""
        s, names = self.settings, _strings(batch["name"])
        _check_length(batch["video"], names, s)
        video = np.asarray(batch["video"])[:, : s.context + s.horizon]  # parts are copied, not this
        self._frame_shape = video.shape[2:]
        context, future = to_floats(video[:, : s.context]), video[:, s.context :]
        last, reconstructed = context[:, -1:], self._reconstructed(video)
        others = ["copy_last"] if reconstructed is None else ["copy_last", RECONSTRUCTION]
        scores = BatchScores(self._scorer, future, s.num_samples, others)
        wanted = max(0, s.gallery_examples - len(self._gallery))
        distinct = self.model.distinct_futures(s.num_samples)
        shown = Gallery(video[:wanted], names, s.gallery_samples, distinct, s.horizon)
        if self._files is not None:
            self._files.begin(video, names)
        for start, futures in self._predictions(context, batch.get("masks"), names):
            for group, predicted in enumerate(futures):
                # What is compared goes along as more samples: LPIPS sees each true frame once.
                beside = {} if group else {"copy_last": last}  # one frame stands for all
                if not group and reconstructed is not None:
                    beside[RECONSTRUCTION] = reconstructed.take(predicted.shape[2])
                scores.add(start, group * SAMPLES_AT_ONCE, predicted, beside)
                shown.add(predicted, start)
                self._scorecard.keep(predicted, start)
                if self._files is not None:
                    self._files.add(predicted, start)
        if reconstructed is not None:
            self._latents.update(
                [tf.concat(level, 1) for level in zip(*reconstructed.kl, strict=True)]
            )
        self._gallery.extend(shown.examples())
        self._videos.extend(_strings(batch.get("source", batch["name"])))
        self._scorecard.update(last, future, self._videos[-len(names) :])
        self._measure_first_sample(context, future, scores.first_sample)
        every, compared = scores.result()
        every = {metric: every[metric] for metric in s.metrics}
        self._add_rows(names, every, compared)
        if self._files is not None:
            self._files.end(every)

    def _predictions(
        self, context: tf.Tensor, masks: tf.Tensor | None, names: list[str]
    ) -> Iterator[tuple[int, Iterator[tf.Tensor]]]:
        """Parts of the horizon, and of each all futures; see `future_parts`."""
        s = self.settings
        if masks is not None:
            masks = masks[:, : s.context] if self.model.needs_masks else None
        return future_parts(
            self._cost or self.model,
            context,
            s.horizon,
            s.num_samples,
            s.seed,
            names,
            first=len(self._examples),
            clip=self._clip,
            masks=masks,
        )

    def _reconstructed(self, video: np.ndarray) -> Reconstructed | None:
        """Videos that are seen whole; `None` for a model without latents."""
        first = len(self._examples)
        seeds = tf.stack([fold_in(self.settings.seed, first + i) for i in range(len(video))])
        parts = self.model.reconstruct_parts(video, seeds, frames_at_once(1, video))
        some = next(parts, None)
        if some is None:
            return None
        return Reconstructed(chain([some], parts), self.settings.context, self._clip)

    def _measure_first_sample(
        self, context: tf.Tensor, future: np.ndarray, predicted: np.ndarray
    ) -> None:
        self._spectra.update(future, predicted)
        if self.distance is not None:
            self.distance.update(context, to_floats(future), predicted)

    def _add_rows(
        self,
        names: list[str],
        scores: dict[str, np.ndarray],
        compared: dict[str, dict[str, np.ndarray]],
    ) -> None:
        """Adds `(samples, batch, horizon)` scores, and `(batch, horizon)` of what is compared."""
        rows: list[dict[str, Any]] = [{"name": name} for name in names]
        videos = self._videos[-len(names) :]
        self._scorecard.update_metrics(scores, videos)
        for metric, value in scores.items():
            by_kind = _reduce_samples(value, METRICS[metric].higher_is_better)
            for kind, reduced in {**by_kind, **compared[metric]}.items():
                self._tallies[metric].setdefault(kind, CurveTally()).update(reduced, videos)
                for row, score in zip(rows, reduced.mean(1), strict=True):
                    row[f"{metric}_{kind}"] = float(score)
        self._examples.extend(rows)

    def result(self) -> OpenLoopResult:
        """Of all batches so far.

        Raises:
            UserError: if there were none.
        """
        if not self._examples:
            raise UserError("there is nothing to evaluate: the data set gave no videos")
        return OpenLoopResult(
            settings=self.settings,
            num_examples=len(self._examples),
            num_videos=len(set(self._videos)),
            frame_shape=self._frame_shape,
            curves={m: {k: t.curve() for k, t in by.items()} for m, by in self._tallies.items()},
            examples=self._examples,
            gallery=self._gallery,
            weights_sha256=self._scorer.weights_sha256,
            spectra=self._spectra.spectra(),
            scorecard=self._scorecard.result(),
            videos=self._videos,
            levels=self._latents.levels(),
            cost=None if self._cost is None else self._cost.cost(),
        )


def _reduce_samples(scores: np.ndarray, higher_is_better: bool) -> dict[str, np.ndarray]:
    """`(samples, batch, horizon)` to `best` and `mean`, each `(batch, horizon)`."""
    over_time = scores.astype(np.float64).mean(2)  # (samples, batch)
    best = over_time.argmax(0) if higher_is_better else over_time.argmin(0)
    return {
        "best": scores[best, np.arange(scores.shape[1])],
        "mean": scores.astype(np.float64).mean(0),
    }


def _check_length(video: tf.Tensor, names: list[str], settings: OpenLoopSettings) -> None:
    needed = settings.context + settings.horizon
    if video.shape[1] < needed:
        raise UserError(
            f"{names[0]} has {video.shape[1]} frames, the evaluation needs {needed} "
            f"({settings.context} of context and {settings.horizon} predicted); ask for fewer"
        )


def _strings(names: tf.Tensor) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in np.asarray(names)]
