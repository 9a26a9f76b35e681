"""Checkpoints of a run: numbered ones, the best one, and whole experiments read back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf

import hvp
from hvp.config import ExperimentConfig, Override, load_config
from hvp.errors import UserError, writing
from hvp.experiment.folder import (
    BEST_FOLDER,
    CONFIG_FILE,
    MODEL_FOLDER,
    find_run_folder,
    open_run_folder,
)
from hvp.experiment.generators import find_generator, generator_variables, save_generator
from hvp.files import replacing
from hvp.models.base import VideoModel

PREFIX = "ckpt"
BEST_SCORE_FILE = "score.json"


class RunCheckpoints:
    """Numbered checkpoints in `model/`, the best by validation in `model/best/`.

    A checkpoint holds the model, all its optimizers and the number of updates made. Data order and
    noise are functions of that number, so nothing else is needed to go on.

    Args:
        folder: of the run.
        model: a built `VideoModel` after `configure_training`.
        keep: how many numbered checkpoints to keep.
    """

    def __init__(self, folder: Path, model: VideoModel, keep: int):
        self.folder = folder / MODEL_FOLDER
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.named = variables_by_name(model)
        self.checkpoint = tf.train.Checkpoint(model=self.named, step=self.step, **model.optimizers)
        self.numbered = tf.train.CheckpointManager(
            self.checkpoint, str(self.folder), max_to_keep=keep, checkpoint_name=PREFIX
        )
        self.best = tf.train.CheckpointManager(
            self.checkpoint, str(self.folder / BEST_FOLDER), max_to_keep=1, checkpoint_name=PREFIX
        )

    @property
    def latest(self) -> str | None:
        return self.numbered.latest_checkpoint

    def restore(self) -> int:
        """Restores the latest numbered checkpoint; returns its step, 0 if there is none."""
        if self.latest is None:
            return 0
        with _explained(self.latest):
            status = self.checkpoint.restore(self.latest)
            status.assert_existing_objects_matched()
        return int(self.step.numpy())  # int() alone does not take a mirrored variable

    def save(self, step: int) -> str:
        """Writes the checkpoint of `step`."""
        return self._save(self.numbered, step)

    def save_if_best(self, step: int, metric: str, value: float) -> bool:
        """Writes `model/best/` if `value` is the lowest of this run so far, restarts included."""
        score_file = self.folder / BEST_FOLDER / BEST_SCORE_FILE
        if score_file.is_file():
            score = json.loads(score_file.read_text(encoding="utf-8"))
            # A score of a later step belongs to updates that a crash undid.
            if score["metric"] == metric and score["value"] <= value and score["step"] <= step:
                return False
        self._save(self.best, step)
        with replacing(score_file) as temporary:
            temporary.write_text(json.dumps({"metric": metric, "value": value, "step": step}))
        return True

    def save_generator(self, step: int) -> None:
        """Keeps the averaged generator alone, for good."""
        with writing_run(self.folder):
            save_generator(self.folder.parent, self.named, step)

    def _save(self, manager: tf.train.CheckpointManager, step: int) -> str:
        self.step.assign(step)
        with writing_run(manager.directory):
            return manager.save(checkpoint_number=step)


def save_experiment(
    config: ExperimentConfig, model: VideoModel, logdir: str | Path, step: int = 0
) -> Path:
    """Writes `logdir/NAME` with `config` and a checkpoint of `model`, as training would.

    Returns:
        The run's folder, for `load_experiment` and for going on with training.
    """
    folder = open_run_folder(config, logdir)
    checkpoints = RunCheckpoints(folder, model, keep=config.training.keep_checkpoints)
    if checkpoints.latest is not None:
        raise UserError(f"{folder}: already holds a trained model; choose --set name=NEW")
    checkpoints.save(step)
    return folder


def load_experiment(
    path: str | Path, checkpoint: str | int = "latest", overrides: Iterable[str | Override] = ()
) -> tuple[ExperimentConfig, VideoModel, int]:
    """Rebuilds a run's model from its own `config.yml` and loads a checkpoint's weights.

    Args:
        path: `logs/NAME` or `logs/NAME/model`.
        checkpoint: `latest`, `best` or the number of one that was kept, of an averaged generator
            alone too: the other networks then keep their initial values.
        overrides: `section.key=value`; the model's shapes must stay.

    Returns:
        The configuration, the model without optimizer state, and the checkpoint's step.

    Raises:
        UserError: without a configuration or such a checkpoint, and when the checkpoint belongs to
            another configuration.
    """
    folder = find_run_folder(path)
    config = load_config(folder / CONFIG_FILE, overrides)
    generator = find_generator(folder, checkpoint)
    prefix = generator or find_checkpoint(folder, checkpoint)
    model = build_checked_model(config)
    named = variables_by_name(model)
    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    with _explained(prefix):
        wanted = generator_variables(named) if generator else named
        status = tf.train.Checkpoint(model=wanted, step=step).restore(prefix)
        status.expect_partial()  # the optimizer's part is not wanted
        status.assert_existing_objects_matched()
    return config, model, int(step.numpy())


def build_checked_model(config: ExperimentConfig) -> VideoModel:
    """`hvp.build_model`, where settings that the model refuses are the user's to mend."""
    source = config.source or config.name
    try:
        model = hvp.build_model(config)
    except ValueError as error:
        raise UserError(f"{source}: data and model: {error}") from error
    if model.needs_masks != config.data.masks:
        found, other, needs = "true", "false", "uses no masks"
        if model.needs_masks:
            found, other, needs = "false", "true, or model.segmentation to quantize", "needs masks"
        raise UserError(
            f"{source}: data.masks is {found}, but this {config.model.family} model {needs}; "
            f"set it to {other}"
        )
    return model


def variables_by_name(model: VideoModel) -> dict[str, Any]:
    """The model's variables by their paths below it, such as `encoder.conv_0.kernel`.

    A Keras model itself will not do: `tf.train.Checkpoint` does not see layers that it holds in
    lists. The first part of a path, the model's own name, differs between models of one process.
    The states of seed generators, which Keras's GRU makes for a dropout that it may not have, share
    a name: nothing here draws from them.
    """
    named = {".".join(v.path.split("/")[1:]): v for v in model.variables}
    own = [v for v in model.variables if v.path.split("/")[-1] != "seed_generator_state"]
    if len(named) < len(own) + (len(own) < len(model.variables)):
        raise ValueError(f"variables of {type(model).__name__} share names; checkpoints lose some")
    return named


def find_checkpoint(folder: Path, checkpoint: str | int = "latest") -> str:
    """The prefix of a run's checkpoint: `latest`, `best`, or one by number."""
    model_folder = folder / MODEL_FOLDER
    if checkpoint == "best":
        prefix = tf.train.latest_checkpoint(str(model_folder / BEST_FOLDER))
    elif checkpoint == "latest":
        prefix = tf.train.latest_checkpoint(str(model_folder))
    else:
        prefix = str(model_folder / f"{PREFIX}-{checkpoint}")
        prefix = prefix if Path(prefix + ".index").is_file() else None
    if prefix is None:
        kept = sorted(int(p.stem.split("-")[1]) for p in model_folder.glob(f"{PREFIX}-*.index"))
        known = f"kept: {', '.join(map(str, kept))}" if kept else "train first"
        raise UserError(f"{model_folder}: no checkpoint {checkpoint!r}; {known}")
    return prefix


@contextmanager
def _explained(prefix: str) -> Iterator[None]:
    """Turns a checkpoint that does not fit or cannot be read into a `UserError`."""
    try:
        yield
    except (AssertionError, ValueError) as error:
        first = " ".join(str(error).split())[:300]
        raise UserError(
            f"{prefix}: this checkpoint belongs to another configuration than {CONFIG_FILE} beside "
            f"it says ({first})"
        ) from error
    except (tf.errors.OpError, IndexError, RuntimeError) as error:  # its reader raises all three
        first = " ".join(str(getattr(error, "message", error)).split())[:300]
        raise UserError(
            f"{prefix}: cannot be read ({first}); an earlier checkpoint can be named with "
            "--checkpoint N"
        ) from error


@contextmanager
def writing_run(path: str | Path) -> Iterator[None]:
    """As `hvp.errors.writing`, for TensorFlow's own writers too. Wrap nothing but writes in it."""
    try:
        with writing(path):
            yield
    except tf.errors.OpError as error:
        first = " ".join(str(error.message).split())[:300]
        raise UserError(
            f"cannot write to {path}: {first}; free some space or choose another --logdir, then "
            "run the same command again: it goes on from the last checkpoint"
        ) from error
