"""Experiments on `forking_shapes` and forecasts of known worth, read against the law."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from hvp.config import ExperimentConfig
from hvp.data.sources.forking_shapes import FORK_EVERY, Law, branch_probabilities, distribution
from hvp.data.video_split import evaluation_split
from hvp.errors import UserError
from hvp.evaluation.forking.baselines import BASELINES, draw_futures, frames_of
from hvp.evaluation.forking.read_out import Reading, outcomes, read_samples
from hvp.evaluation.forking.scores import LawScores
from hvp.evaluation.futures import sampled_futures
from hvp.models.base import VideoModel

SEEN_AFTER_FORK = 5
"""Frames that a fork needs after it before the branch taken can be read."""


@dataclasses.dataclass(frozen=True)
class LawSettings:
    """What is read.

    Attributes:
        num_examples: contexts, from the test split.
        num_samples: futures of each.
        seed: decides all sampling.
        batch_size: contexts predicted at once.
    """

    num_examples: int = 100
    num_samples: int = 100
    seed: int = 0
    batch_size: int = 10


def evaluate_law(
    config: ExperimentConfig,
    models: Mapping[str, VideoModel],
    settings: LawSettings,
    on_context: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Reads samples of every model, and of `BASELINES`, for the same contexts.

    Args:
        config: of an experiment on `forking_shapes`; its data, context and length are used.
        models: predictors of its frames by name.
        on_context: called after each context.

    Returns:
        `protocol`, `forecasts`: name -> `LawScores.summary`, and `read_out_error`: how often
        samples of the law are read as another outcome than they were rendered with.

    Raises:
        UserError: for other data, and a context or length that hides a fork.
    """
    context_frames, horizon = _lengths(config)
    split = evaluation_split(config, "test")
    windows = split.choose_windows(settings.num_examples, "one_per_video")
    scores = {name: LawScores(config.data.forks, horizon) for name in (*models, *BASELINES)}
    random = np.random.default_rng(settings.seed)
    errors, done = [], 0
    for batch in split.evaluation_batches(settings.batch_size, windows=windows):
        video = batch["video"]
        futures = {
            name: _futures(model, video[:, :context_frames], horizon, settings, done)
            for name, model in models.items()
        }
        for number, frames in enumerate(video.numpy()):
            reader = _Reader(config, frames[:context_frames])
            truth = int(reader.read(frames[None, context_frames:]).outcome[0])
            for name, samples in futures.items():
                scores[name].add(reader.law, reader.read(samples[:, number]), truth)
            for name, forecast in BASELINES.items():
                samples = forecast(
                    reader.context, reader.law, horizon, settings.num_samples, random
                )
                scores[name].add(reader.law, reader.read(samples), truth)
            errors.append(reader.error(horizon, random))
            on_context()
        done += len(video)
    return {
        "protocol": {
            **dataclasses.asdict(settings),
            "num_examples": len(errors),
            "context": context_frames,
            "horizon": horizon,
            "forks": config.data.forks,
            "probabilities": list(branch_probabilities(config.data)),
        },
        "read_out_error": float(np.mean(errors)),
        "forecasts": {name: found.summary() for name, found in scores.items()},
    }


class _Reader:
    """The law of one context, and what samples of it show."""

    def __init__(self, config: ExperimentConfig, context: np.ndarray):
        self.context, self.forks = context, config.data.forks
        self.law: Law = distribution(context, branch_probabilities(config.data), self.forks)

    def read(self, samples: np.ndarray) -> Reading:
        return read_samples(samples, self.law.start, self.forks, len(self.context))

    def error(self, horizon: int, random: np.random.Generator, number: int = 10) -> float:
        """Share of samples of the law that are read as another outcome."""
        drawn = draw_futures(self.law, len(self.context) + horizon, number, random)
        found = self.read(frames_of(drawn, self.context, self.law, horizon)).outcome
        order = outcomes(self.forks)
        taken = [order.index(future.branches) for future in drawn]
        return float(np.mean(found != taken))


def _futures(
    model: VideoModel, context: tf.Tensor, horizon: int, settings: LawSettings, first: int
) -> np.ndarray:
    """`(samples, batch, horizon, height, width, channels)`; one sample tells all of a
    deterministic model's."""
    number = model.distinct_futures(settings.num_samples)
    names = [f"context {first + i}" for i in range(len(context))]
    parts = sampled_futures(model, context, horizon, number, settings.seed, names, first)
    samples = np.concatenate([np.asarray(part) for part in parts])
    return np.broadcast_to(samples, (settings.num_samples, *samples.shape[1:]))


def _lengths(config: ExperimentConfig) -> tuple[int, int]:
    """Frames of context and horizon."""
    context, total = config.evaluation.context, config.evaluation.seq_len
    if config.data.dataset != "forking_shapes":
        raise UserError(
            f"data.dataset is {config.data.dataset}; only the law of forking_shapes is known"
        )
    if context > FORK_EVERY:
        raise UserError(
            f"evaluation.context is {context} and shows the first fork; at most {FORK_EVERY} "
            "frames come before it"
        )
    least = FORK_EVERY * config.data.forks + SEEN_AFTER_FORK
    if total < least:
        raise UserError(
            f"evaluation.seq_len is {total}; with data.forks {config.data.forks} the last branch "
            f"shows from {least} frames on"
        )
    return context, total - context
