"""What is checked before training starts, for it and for what comes after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from hvp.config import AUTO, ExperimentConfig, TrainingConfig, load_config
from hvp.data.lengths import with_lengths
from hvp.data.video_split import evaluation_split
from hvp.errors import UserError
from hvp.experiment.checkpoint_files import CheckpointFiles
from hvp.experiment.folder import CONFIG_FILE, MODEL_FOLDER
from hvp.families import FAMILIES
from hvp.metrics.lpips_weights import weights_at_hand
from hvp.models.base import VideoModel
from hvp.training.callbacks import Callbacks
from hvp.training.cluster import Cluster
from hvp.training.summaries import gif_context


def resolved(
    config: ExperimentConfig, folder: Path, report: Callable[[str], None]
) -> ExperimentConfig:
    """`config` with lengths in place of `auto`: those of the run in `folder`, if it has begun."""
    if CheckpointFiles(folder / MODEL_FOLDER).steps() and (folder / CONFIG_FILE).is_file():
        begun = load_config(folder / CONFIG_FILE)
        if config.data.seq_len == AUTO:
            config = config.replace("data", seq_len=begun.data.seq_len)
        lengths = {
            key: getattr(begun.evaluation, key)
            for key in ("context", "seq_len")
            if getattr(config.evaluation, key) == AUTO
        }
        config = config.replace("evaluation", **lengths)
    return with_lengths(config, report)


def check_settings(config: ExperimentConfig) -> None:
    """What can be known before anything is opened."""
    training = config.training
    predicts = training.gifs_every and not FAMILIES[config.model.family].generates
    if predicts and (config.evaluation.context < 1 or config.data.seq_len < 2):
        raise UserError(
            f"{config.source or config.name}: GIFs show predictions: evaluation.context must be at "
            f"least 1, found {config.evaluation.context}, and data.seq_len at least 2, found "
            f"{config.data.seq_len}; or set training.gifs_every to 0"
        )
    if training.generators_every and not FAMILIES[config.model.family].generates:
        raise UserError(
            f"training.generators_every is {training.generators_every}: a {config.model.family} "
            "model predicts and does not generate; set it to 0"
        )
    if training.fvd_every:
        from hvp.distances.in_training import check_training_distance

        check_training_distance(config)


def check_window(config: ExperimentConfig, model: VideoModel) -> None:
    """Raises a `UserError` if the training windows, or the GIFs' contexts, are too short."""
    frames = config.data.seq_len
    if frames < model.min_window:
        raise UserError(
            f"data.seq_len is {frames}; a {config.model.family} model with these settings needs "
            f"windows of at least {model.min_window} frames"
        )
    if model.max_window is not None and frames > model.max_window:
        raise UserError(
            f"data.seq_len is {frames}; a {config.model.family} model with these settings learns "
            f"from windows of {model.max_window} frames and would never see the others"
        )
    context = gif_context(config.evaluation.context, frames)
    if config.training.gifs_every and context < model.min_context:
        raise UserError(
            f"evaluation.context is {config.evaluation.context}; the model needs at least "
            f"{model.min_context} frames to predict from"
        )


def check_alone(training: TrainingConfig, callbacks: Callbacks, cluster: Cluster | None) -> None:
    """Raises a `UserError` for what several workers would not do together."""
    if cluster is not None and (callbacks.active or training.early_stopping):
        raise UserError(
            "training.callbacks and training.early_stopping work on one machine; several workers "
            "would not stop together"
        )


def later_problems(config: ExperimentConfig, model: VideoModel) -> Iterator[str]:
    """Why the evaluation of the run would fail as it is configured; nothing if it would not."""
    if FAMILIES[config.model.family].generates:
        return
    wanted = config.evaluation
    if wanted.context >= wanted.seq_len:
        yield (
            f"evaluation.context is {wanted.context} and leaves nothing to predict of "
            f"evaluation.seq_len {wanted.seq_len}"
        )
    elif wanted.context < model.min_context:
        yield (
            f"evaluation.context is {wanted.context}; the model needs at least {model.min_context} "
            f"frames: --set evaluation.context={model.min_context}"
        )
    try:
        evaluation_split(config)
    except UserError as error:
        yield str(error)
    if "lpips" in wanted.metrics and not weights_at_hand("lpips_alex"):
        others = ",".join(name for name in wanted.metrics if name != "lpips")
        yield (
            "LPIPS' weights are not on this machine and will be downloaded; without a network: "
            f"--set evaluation.metrics=[{others}]"
        )
