"""Experiments on the same data and protocol, one after the other: trained, scored, compared.

A run that was killed goes on where it was: what is scored is not touched again, what is trained is
not trained again, and what is half trained goes on from its last checkpoint.
"""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from hvp.config import ExperimentConfig
from hvp.data.video_split import VideoSplit, evaluation_split
from hvp.errors import UserError
from hvp.evaluation.cost import CostMeter
from hvp.evaluation.generated_motion import scores_of_generator
from hvp.evaluation.open_loop import OpenLoopSettings, evaluate
from hvp.evaluation.scores import Scores, read_scores, scores_of_predictions
from hvp.experiment.checkpoints import load_experiment
from hvp.experiment.choosing import choose_checkpoint
from hvp.families import FAMILIES
from hvp.models.base import VideoModel

# Of `data`: what training alone goes by, and the test videos are the same whatever it says.
FREE_DATA = {
    "seq_len", "random_start", "clips_per_video", "max_video_len", "unusable_videos", "masks",
    "cache_dir", "train_videos", "validation_share",
}  # fmt: skip
SCORES_VERSION = 3  # raise it whenever scores are made in another way

Train = Callable[[ExperimentConfig, Path], Path]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One experiment of a comparison.

    Attributes:
        name: the experiment's.
        scores: None where training failed.
        step: updates made by the checkpoint that was scored.
        parameters: of the model.
        problem: why there are no scores.
    """

    name: str
    scores: Scores | None
    step: int = 0
    parameters: int = 0
    problem: str = ""


def check_comparable(configs: Mapping[str, ExperimentConfig]) -> None:
    """Raises a `UserError` unless all experiments are scored on the same videos in the same way."""
    first, *others = configs.values()
    for other in others:
        for section, free in (("data", FREE_DATA), ("evaluation", set())):
            values = [dataclasses.asdict(getattr(config, section)) for config in (first, other)]
            for key, value in values[0].items():
                if key not in free and values[1][key] != value:
                    raise UserError(
                        f"{other.source}: {section}.{key} is {values[1][key]!r} in {other.name} "
                        f"and {value!r} in {first.name}; what is compared must agree in it"
                    )
        kinds = [FAMILIES[config.model.family].generates for config in (first, other)]
        if kinds[0] != kinds[1]:
            raise UserError(f"{other.name} and {first.name}: a generator beside a predictor")


def run_comparison(
    configs: Mapping[str, ExperimentConfig],
    logdir: Path,
    train: Train,
    checkpoint: str = "latest",
    report: Callable[[str], None] = print,
) -> list[Outcome]:
    """Trains and scores every experiment that is not scored yet.

    Args:
        configs: by name; the first is the baseline.
        logdir: their folders are `logdir/NAME`.
        train: trains an experiment, or goes on with it; `hvp.training.trainer.train`.
        checkpoint: `latest` or `best`: which one of each is scored.
        report: called with each line for the user.

    Returns:
        One `Outcome` an experiment, in order. Where one but the first cannot be trained (its loss
        is not finite, say) its outcome tells the problem.

    Raises:
        UserError: if they cannot be compared, or the first cannot be trained.
    """
    check_comparable(configs)
    outcomes: list[Outcome] = []
    for number, (name, config) in enumerate(configs.items(), 1):
        report(f"[{number}/{len(configs)}] {name}")
        try:
            outcomes.append(_outcome(config, logdir, train, checkpoint, report))
        except UserError as error:
            if not outcomes:
                raise
            report(f"failed: {error}")
            outcomes.append(Outcome(name, None, problem=str(error)))
        keras.backend.clear_session()  # or memory grows with every experiment
        gc.collect()
    return outcomes


def _outcome(
    config: ExperimentConfig,
    logdir: Path,
    train: Train,
    checkpoint: str,
    report: Callable[[str], None],
) -> Outcome:
    folder = logdir / config.name
    asked = {"config": _told(config), "checkpoint": checkpoint}
    known = _scored(folder, asked)
    if known is not None:
        report(f"scored already: {folder}")
        return known
    train(config, logdir)
    _, model, step = load_experiment(folder, checkpoint)
    scores = score(config, model)
    facts = {"step": step, "parameters": int(model.count_params())}
    scores = dataclasses.replace(scores, facts={**scores.facts, **facts})
    scores.save(folder, _fingerprint(folder, asked))
    return _as_outcome(config.name, scores)


def _told(config: ExperimentConfig) -> dict[str, Any]:
    """What a configuration says beyond defaults: a later version's new key changes nothing."""
    told: dict[str, Any] = {"seed": config.seed, "family": config.model.family}
    for section in ("data", "model", "training", "evaluation"):
        settings = getattr(config, section)
        usual = type(settings)()
        told |= {
            f"{section}.{field.name}": getattr(settings, field.name)
            for field in dataclasses.fields(settings)
            if getattr(settings, field.name) != getattr(usual, field.name)
        }
    return told


def _as_outcome(name: str, scores: Scores) -> Outcome:
    facts = dict(scores.facts)
    step, parameters = (int(facts.pop(key) or 0) for key in ("step", "parameters"))
    return Outcome(name, dataclasses.replace(scores, facts=facts), step, parameters)


def _scored(folder: Path, asked: Mapping[str, Any]) -> Outcome | None:
    """What was scored before under the same settings, by the checkpoint that is still there."""
    try:
        fingerprint = _fingerprint(folder, asked)
    except UserError:  # there is no checkpoint
        return None
    scores = read_scores(folder, fingerprint)
    return None if scores is None else _as_outcome(folder.name, scores)


def _fingerprint(folder: Path, asked: Mapping[str, Any]) -> str:
    """Of the settings and the checkpoint; other ones give other scores."""
    _, step = choose_checkpoint(folder, asked["checkpoint"])
    content = json.dumps([SCORES_VERSION, asked, step], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def score(config: ExperimentConfig, model: VideoModel) -> Scores:
    """Scores a model as its experiment's `evaluation` section says, on the test split."""
    wanted = config.evaluation
    if FAMILIES[config.model.family].generates:
        split = VideoSplit(config.data, "test", seed=config.seed)
        return scores_of_generator(model, split, config)
    split = evaluation_split(config)
    settings = OpenLoopSettings(
        context=wanted.context,
        horizon=wanted.seq_len - wanted.context,
        num_samples=wanted.num_samples,
        seed=config.seed,
        metrics=tuple(wanted.metrics),
        protocol=wanted.protocol,
        gallery_examples=1,
        gallery_samples=1,
    )
    windows = split.choose_windows(wanted.num_examples, wanted.windows)
    batches = split.evaluation_batches(wanted.batch_size, windows=windows)
    return scores_of_predictions(evaluate(model, batches, settings, cost=CostMeter(model)))
