"""Published checkpoints to experiment folders: `python -m hvp import-weights`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import hvp
from hvp.config import ExperimentConfig, Override, load_config
from hvp.errors import UserError
from hvp.named_weights import assign_by_name
from hvp.weights.hierarchical import convert_config, original_config, original_names
from hvp.weights.pytorch import PYTORCH_SUFFIXES, read_motion_gan, read_state_dict
from hvp.weights.reference import load_converter
from hvp.weights.tensorflow1 import checkpoint_prefix, load_adam, read_checkpoint, split_optimizer

# Families whose state dict is all there is to import; `REFERENCES` has their converters.
STATE_DICTS = ("sdfnet", "dfdnet", "simvp", "convlstm")
PUBLISHED_AS = {
    "TensorFlow 1": ("hierarchical",),
    "PyTorch": (*STATE_DICTS, "motion_gan"),
}


def import_checkpoint(
    checkpoint: str | Path,
    config: str | Path | None,
    logdir: str | Path,
    overrides: tuple[str | Override, ...] = (),
) -> Path:
    """Makes an experiment of a published checkpoint.

    Args:
        checkpoint: of the hierarchical family, the folder (with the `checkpoint` file) or prefix
            (`.../model.ckpt`) of a TensorFlow 1 checkpoint; of the families `STATE_DICTS`, a
            PyTorch state dict (`.pth`), bare or under `net` or `state_dict`; of the motion GAN, the
            PyTorch checkpoint (`.pt`) of all its networks.
        config: one of our configurations; for the hierarchical family also the original's own flat
            `config.yml`, which `None` looks for beside the checkpoint.
        logdir: where `logs/NAME/` is made.
        overrides: `section.key=value`, as in `load_config`.

    Returns:
        The experiment's folder, which `eval_with_lpips.py` accepts and `train.py` continues.

    Raises:
        UserError: for a missing or unreadable checkpoint or configuration, and for variables that
            do not fit the configuration, all of them named.
    """
    from hvp.experiment.checkpoints import save_experiment

    if Path(checkpoint).suffix in PYTORCH_SUFFIXES:
        experiment, model, step = _import_state_dict(Path(checkpoint), config, overrides)
        return save_experiment(experiment, model, logdir, step=step)
    prefix = checkpoint_prefix(checkpoint)
    arrays = read_checkpoint(prefix)
    experiment = _experiment_config(config, prefix, arrays, overrides)
    _require_family("TensorFlow 1", experiment, prefix)
    model = hvp.build_model(experiment)
    names = dict(original_names(model))
    weights, slots, step = split_optimizer(arrays)
    assign_by_name(names, weights)
    model.configure_training(experiment.training)
    if slots:
        load_adam(model.optimizer, names, slots)
    return save_experiment(experiment, model, logdir, step=step)


def _import_state_dict(
    path: Path, config: str | Path | None, overrides: tuple[str | Override, ...]
) -> tuple[ExperimentConfig, Any, int]:
    """The experiment, its model after `configure_training`, and the updates made."""
    from hvp.weights.motion_gan import assign_motion_gan, assign_optimizers, check_motion_gan

    if config is None:
        raise UserError(
            f"{path}: pass --config, such as configs/sdfnet_mmnist.yml or "
            "configs/motion_gan_ucf101.yml"
        )
    experiment = load_config(config, overrides)
    family = experiment.model.family
    _require_family("PyTorch", experiment, path)
    if family == "motion_gan":
        file = read_motion_gan(path)
        check_motion_gan(file.arguments, experiment, path)
        model = hvp.build_model(experiment)
        assign_motion_gan(model, file.networks, path)
        model.configure_training(experiment.training)
        assign_optimizers(model, file, path)
        return experiment, model, file.step
    arrays = read_state_dict(path)
    model = hvp.build_model(experiment)
    converter = load_converter(family)
    used = {k: array for k, array in arrays.items() if not converter.is_unused(family, k)}
    assign_by_name(converter.targets(model), used)
    model.configure_training(experiment.training)
    return experiment, model, 0


def _require_family(kind: str, experiment: ExperimentConfig, checkpoint: str | Path) -> None:
    """Raises a `UserError` for a configuration of a family that was published otherwise."""
    if experiment.model.family not in PUBLISHED_AS[kind]:
        raise UserError(
            f"{checkpoint}: is a {kind} checkpoint, but {experiment.source} is of the family "
            f"{experiment.model.family}; published so were {', '.join(PUBLISHED_AS[kind])}"
        )


def _experiment_config(
    config: str | Path | None,
    prefix: str,
    arrays: Mapping[str, np.ndarray],
    overrides: tuple[str | Override, ...],
) -> ExperimentConfig:
    if config is None:
        folder = Path(prefix).parent
        candidates = [folder / "config.yml", folder.parent / "config.yml"]
        found = [path for path in candidates if path.is_file()]
        if not found:
            raise UserError(f"{folder}: no config.yml beside the checkpoint; pass --config FILE")
        config = found[0]
    original = original_config(Path(config))
    if original is None:
        return load_config(config, overrides)
    return convert_config(original, Path(config), arrays, overrides)
