"""Checkpoints of a run: numbered ones, the best one, and whole experiments read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

import hvp
from hvp.config import ExperimentConfig, Override, load_config
from hvp.errors import UserError, to_stderr, writing
from hvp.experiment.checkpoint_files import CheckpointFiles
from hvp.experiment.choosing import BEST_SCORE_FILE, best_score, choose_checkpoint
from hvp.experiment.folder import (
    BEST_FOLDER,
    CONFIG_FILE,
    MODEL_FOLDER,
    find_run_folder,
    open_run_folder,
)
from hvp.experiment.generators import find_generators, generator_variables, save_generator
from hvp.experiment.presets import find_preset, is_preset
from hvp.experiment.shared_folder import is_shared, load_weights, require_shared
from hvp.files import replacing
from hvp.models.base import VideoModel


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
        self.folder, self.keep = folder, keep
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.named = variables_by_name(model)
        self.checkpoint = tf.train.Checkpoint(model=self.named, step=self.step, **model.optimizers)
        self.numbered = CheckpointFiles(folder / MODEL_FOLDER)
        self.best = CheckpointFiles(folder / MODEL_FOLDER / BEST_FOLDER)

    @property
    def latest(self) -> str | None:
        """The newest numbered checkpoint's prefix."""
        steps = self.numbered.steps()
        return self.numbered.prefix(steps[-1]) if steps else None

    def restore(
        self, checkpoint: str | int = "latest", report: Callable[[str], None] = to_stderr
    ) -> int:
        """Restores a checkpoint.

        Args:
            checkpoint: `latest`, `best` or the step of one that was kept.
            report: called with a note if the newest one is damaged and an older one is taken.

        Returns:
            Its step; 0 if the latest is asked for and there is none.
        """
        if checkpoint == "latest" and not self.numbered.steps():
            return 0
        files, step = choose_checkpoint(self.folder, checkpoint, report)
        with explained(files, step) as prefix:
            self.checkpoint.read(prefix).assert_existing_objects_matched()
        return int(self.step.numpy())  # int() alone does not take a mirrored variable

    def save(self, step: int) -> str:
        """Writes the checkpoint of `step`. Later ones, which the run has gone back from, go."""
        self._write(self.numbered, step)
        steps = [found for found in self.numbered.steps() if found <= step]
        with writing_run(self.folder):
            self.numbered.keep(steps[-self.keep :])
        return self.numbered.prefix(step)

    def save_if_best(self, step: int, metric: str, value: float) -> bool:
        """Writes `model/best/` if `value` is the lowest of this run so far, restarts included."""
        best = best_score(self.best)
        # A score of a later step belongs to updates that a crash undid.
        if best and best["metric"] == metric and best["value"] <= value and best["step"] <= step:
            return False
        self._write(self.best, step)
        score_file = self.best.folder / BEST_SCORE_FILE
        with writing_run(self.best.folder), replacing(score_file) as temporary:
            temporary.write_text(json.dumps({"metric": metric, "value": value, "step": step}))
        with writing_run(self.best.folder):
            self.best.keep([step])
        return True

    def save_generator(self, step: int) -> None:
        """Keeps the averaged generator alone, for good."""
        with writing_run(self.folder):
            save_generator(self.folder, self.named, step)

    def _write(self, files: CheckpointFiles, step: int) -> None:
        self.step.assign(step)
        with writing_run(files.folder):
            files.write(self.checkpoint, step)


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


class Experiment(NamedTuple):
    """A run as `load_experiment` gives it.

    Attributes:
        config: its configuration.
        model: its model with trained weights and no optimizer state, ready for `rollout` or
            `generate`.
        step: the updates that the weights had.
    """

    config: ExperimentConfig
    model: VideoModel
    step: int


def load_experiment(
    path: str | Path, checkpoint: str | int = "latest", overrides: Iterable[str | Override] = ()
) -> Experiment:
    """Rebuilds a run's model from its own `config.yml` and loads a checkpoint's weights.

    Args:
        path: `logs/NAME` or `logs/NAME/model`; or what `hvp.from_preset` takes.
        checkpoint: `latest`, `best` or the number of one that was kept, of an averaged generator
            alone too: the other networks then keep their initial values.
        overrides: `section.key=value`; the model's shapes must stay.

    Returns:
        Configuration, model and step, to be unpacked or by name.

    Raises:
        UserError: without a configuration or such a checkpoint, and when the checkpoint belongs to
            another configuration.

    Example:
        >>> config, model, step = hvp.load_experiment("logs/kth", checkpoint="best")
        >>> futures = model.rollout(context, horizon=20, num_samples=3)
    """
    folder = find_run_folder(find_preset(path) if is_preset(path) else path)
    config = load_config(folder / CONFIG_FILE, overrides)
    if is_shared(folder):
        record = require_shared(folder, config, checkpoint)
        model = build_checked_model(config)
        load_weights(model, variables_by_name(model), folder)
        return Experiment(config, model, int(record.get("step", 0)))
    generators = find_generators(folder, checkpoint)
    files, number = generators or choose_checkpoint(folder, checkpoint)
    model = build_checked_model(config)
    named = variables_by_name(model)
    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    with explained(files, number) as prefix:
        wanted = generator_variables(named) if generators else named
        status = tf.train.Checkpoint(model=wanted, step=step).read(prefix)
        status.expect_partial()  # the optimizer's part is not wanted
        status.assert_existing_objects_matched()
    return Experiment(config, model, int(step.numpy()))


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


@contextmanager
def explained(files: CheckpointFiles, step: int) -> Iterator[str]:
    """The prefix to read a checkpoint by; what does not fit or cannot be read is a `UserError`."""
    prefix = files.prefix(step)
    try:
        with files.readable(step) as readable:
            yield readable
    except (AssertionError, ValueError) as error:
        first = " ".join(str(error).split())[:300]
        raise UserError(
            f"{prefix}: this checkpoint belongs to another configuration than {CONFIG_FILE} beside "
            f"it says ({first})"
        ) from error
    except (tf.errors.OpError, IndexError, RuntimeError) as error:  # its reader raises all three
        first = " ".join(str(getattr(error, "message", error)).split())[:300]
        raise UserError(
            f"{prefix}: cannot be read ({first}); another checkpoint can be named with "
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
