"""Published checkpoints to experiment folders: `python -m hvp import-weights`."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import yaml

import hvp
from hvp.config import ExperimentConfig, load_config
from hvp.errors import UserError
from hvp.models.hierarchical.config import HierarchicalConfig
from hvp.weights.hierarchical import OPTIMIZER_SCOPE, original_names, reference_settings
from hvp.weights.reference import assign_by_name

ORIGINAL_DATASETS = {"mmnist": "moving_mnist", "kth": "kth", "mazes": "mazes"}
PYTORCH_SUFFIXES = (".pth", ".pt")
MOTION_GAN_NETWORKS = ("g", "g_ema", "img_d", "vid_d")
# Keys of an original configuration and where they live in ours.
ORIGINAL_KEYS = {
    "data": {"channels": "channels", "seq_len": "seq_len"},
    "training": {
        "batch_size": "batch_size",
        "num_epochs": "epochs",
        "lr": "learning_rate",
        "clip_grad_norm_by": "clip_norm",
    },
    "evaluation": {"open_loop_ctx": "context", "eval_seq_len": "seq_len"},
}


def import_checkpoint(
    checkpoint: str | Path,
    config: str | Path | None,
    logdir: str | Path,
    overrides: tuple[str, ...] = (),
) -> Path:
    """Makes an experiment of a published checkpoint.

    Args:
        checkpoint: of the hierarchical family, the folder (with the `checkpoint` file) or prefix
            (`.../model.ckpt`) of a TensorFlow 1 checkpoint; of SDFNet and DFDNet, a PyTorch state
            dict (`.pth`), bare or under `net`; of the motion GAN, the PyTorch checkpoint (`.pt`) of
            all its networks.
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
    from hvp.training.checkpoints import save_experiment

    if Path(checkpoint).suffix in PYTORCH_SUFFIXES:
        experiment, model = _import_state_dict(Path(checkpoint), config, overrides)
        return save_experiment(experiment, model, logdir)
    prefix = checkpoint_prefix(checkpoint)
    arrays = read_checkpoint(prefix)
    experiment = _experiment_config(config, prefix, arrays, overrides)
    model = hvp.build_model(experiment)
    names = dict(original_names(model))
    weights, slots, step = split_optimizer(arrays)
    assign_by_name(names, weights)
    model.configure_training(experiment.training)
    if slots:
        load_adam(model.optimizer, names, slots)
    return save_experiment(experiment, model, logdir, step=step)


def _import_state_dict(
    path: Path, config: str | Path | None, overrides: tuple[str, ...]
) -> tuple[ExperimentConfig, Any]:
    from hvp.weights import frequency_nets

    if config is None:
        raise UserError(
            f"{path}: pass --config, such as configs/sdfnet_mmnist.yml or "
            "configs/motion_gan_ucf101.yml"
        )
    experiment = load_config(config, overrides)
    family = experiment.model.family
    if family not in ("sdfnet", "dfdnet", "motion_gan"):
        raise UserError(
            f"{path}: is a PyTorch checkpoint, but {config} is of the family {family}; SDFNet, "
            "DFDNet and the motion GAN were published so"
        )
    if family == "motion_gan":
        networks, original = read_motion_gan(path)
        _check_motion_gan(original, experiment, path)
        model = hvp.build_model(experiment)
        _assign_motion_gan(model, networks, path)
    else:
        arrays = read_state_dict(path)
        model = hvp.build_model(experiment)
        used = {k: array for k, array in arrays.items() if not frequency_nets.is_unused(family, k)}
        assign_by_name(frequency_nets.targets(model), used)
    model.configure_training(experiment.training)
    return experiment, model


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a PyTorch state dict, bare or under `net`, by name.

    Read without unpickling anything but tensors.

    Raises:
        UserError: without PyTorch, and for a file that is missing, damaged or something else.
    """
    content = _read_pytorch(path)
    content = content.get("net", content) if isinstance(content, dict) else content
    arrays = _arrays(content)
    if not arrays:
        raise UserError(f"{path}: holds no state dict, neither bare nor under 'net'")
    return arrays


def read_motion_gan(path: Path) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, Any]]:
    """A motion GAN's PyTorch checkpoint.

    Returns:
        The networks `g`, `g_ema`, `img_d` and `vid_d`, without the last two for a file of `g_ema`
        alone, which then is `g` too; and the command line that they were trained by, `args`, empty
        if the file has none.

    Raises:
        UserError: without PyTorch, and for a file that is missing, damaged or something else.
    """
    content = _read_pytorch(path)
    content = content if isinstance(content, dict) else {}
    networks = {name: _arrays(content.get(name)) for name in MOTION_GAN_NETWORKS}
    networks = {name: arrays for name, arrays in networks.items() if arrays}
    missing = [name for name in MOTION_GAN_NETWORKS if name not in networks]
    if missing == ["g", "img_d", "vid_d"]:  # as the original stores between whole checkpoints
        print(
            f"{path}: holds the averaged generator alone; the discriminators are new",
            file=sys.stderr,
        )
        return {"g": networks["g_ema"], **networks}, _arguments(content)
    if missing:
        raise UserError(
            f"{path}: is no checkpoint of the motion GAN: it holds no {', '.join(missing)} (found "
            f"{', '.join(map(str, content)) or 'no names'})"
        )
    return networks, _arguments(content)


def _arguments(content: Mapping[str, Any]) -> dict[str, Any]:
    original = content.get("args")
    return vars(original) if isinstance(original, argparse.Namespace) else {}


def _check_motion_gan(original: Mapping[str, Any], config: ExperimentConfig, path: Path) -> None:
    """Raises a `UserError` where the original's `args` ask for another model than `config`."""
    from hvp.weights.motion_gan import original_settings

    values = config.to_dict()
    differing = [
        f"{key}={value}"
        for key, value in original_settings(original).items()
        if values[key.partition(".")[0]][key.partition(".")[2]] != value
    ]
    if differing:
        raise UserError(
            f"{path}: was trained with other settings than {config.source} has; add "
            f"{' '.join(f'--set {setting}' for setting in differing)}"
        )


def _assign_motion_gan(
    model: Any, networks: Mapping[str, Mapping[str, np.ndarray]], path: Path
) -> None:
    from hvp.weights import motion_gan

    targets = {
        "g": motion_gan.generator_targets(model.generator),
        "g_ema": motion_gan.generator_targets(model.average),
        "img_d": motion_gan.discriminator_targets(model.image_discriminator),
        "vid_d": motion_gan.discriminator_targets(model.video_discriminator),
    }
    variables, arrays = {}, {}
    for network in networks:
        variables |= {f"{network}.{name}": target for name, target in targets[network].items()}
        arrays |= {
            f"{network}.{name}": array
            for name, array in networks[network].items()
            if not motion_gan.is_unused(network, name)
        }
    try:
        assign_by_name(variables, arrays)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _read_pytorch(path: Path) -> Any:
    """What a PyTorch file holds, unpickling nothing but tensors and command-line arguments."""
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        import torch
    except ImportError:
        raise UserError(
            f"{path}: PyTorch is needed to read it, once: pip install torch --index-url "
            "https://download.pytorch.org/whl/cpu"
        ) from None
    try:
        # A namespace holds attributes and runs nothing; the motion GAN stores its arguments so.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever torch and pickle raise for what is no checkpoint
        reason = " ".join(str(error).split())[:200]
        if not reason or "weights_only" in reason:  # PyTorch's advice is to run what is in there
            reason = "it is damaged, or holds more than tensors and arguments"
        raise UserError(f"{path}: cannot be read as a PyTorch state dict: {reason}") from None


def _arrays(content: Any) -> dict[str, np.ndarray]:
    """A state dict's arrays; nothing, if it is none."""
    if not isinstance(content, dict) or not all(hasattr(v, "numpy") for v in content.values()):
        return {}
    # Trained on several GPUs, every name begins with "module.".
    return {name.removeprefix("module."): t.detach().numpy() for name, t in content.items()}


def checkpoint_prefix(checkpoint: str | Path) -> str:
    """The prefix of the checkpoint in a folder, or of the one that a prefix or index file names."""
    path = Path(checkpoint)
    if path.is_dir():
        indices = sorted(path.glob("*.index"))
        named = tf.train.latest_checkpoint(str(path))
        if named is None and len(indices) == 1:
            named = str(indices[0].with_suffix(""))
        if named is None and (path / "model").is_dir():
            return checkpoint_prefix(path / "model")
        if named is None:
            raise UserError(
                f"{path}: no checkpoint there; expected a 'checkpoint' file and "
                "model.ckpt.index, model.ckpt.data-00000-of-00001"
            )
        return named
    prefix = str(path).removesuffix(".index")
    if not Path(prefix + ".index").is_file():
        raise UserError(f"{path}: no such checkpoint; give its folder or its prefix")
    return prefix


def read_checkpoint(prefix: str) -> dict[str, np.ndarray]:
    """All variables of a TensorFlow checkpoint by name."""
    try:
        reader = tf.train.load_checkpoint(prefix)
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{prefix}: cannot be read as a checkpoint ({str(error).splitlines()[0]}); is its data "
            "file complete?"
        ) from None


def split_optimizer(
    arrays: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], int]:
    """Divides a checkpoint's arrays into weights, optimizer state and the step count."""
    slots = {name: a for name, a in arrays.items() if name.startswith(OPTIMIZER_SCOPE)}
    weights = {name: a for name, a in arrays.items() if name not in slots and name != "step"}
    return weights, slots, int(arrays.get("step", 0))


def original_config(path: Path) -> dict[str, Any] | None:
    """The original's flat configuration in `path`, or `None` if the file is one of ours."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None  # load_config says what is wrong with it
    is_flat = isinstance(content, dict) and "cell_stoch_size" in content
    return content if is_flat else None


def _experiment_config(
    config: str | Path | None,
    prefix: str,
    arrays: Mapping[str, np.ndarray],
    overrides: tuple[str, ...],
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
    return _convert_config(original, Path(config), arrays, overrides)


def _convert_config(
    original: Mapping[str, Any],
    path: Path,
    arrays: Mapping[str, np.ndarray],
    overrides: tuple[str, ...],
) -> ExperimentConfig:
    """An original configuration in our sections."""
    dataset = str(original.get("dataset"))
    if dataset not in ORIGINAL_DATASETS:
        raise UserError(
            f"{path}: 'dataset' is {dataset!r}, known: {', '.join(ORIGINAL_DATASETS)}; pass one of "
            "our configurations with --config"
        )
    residual = any("resdual_cell" in name for name in arrays)
    model = "hierarchical_residual" if residual else "clockwork_vae"
    sections: dict[str, dict[str, Any]] = {
        section: {ours: original[theirs] for theirs, ours in keys.items() if theirs in original}
        for section, keys in ORIGINAL_KEYS.items()
    }
    sections["data"]["dataset"] = ORIGINAL_DATASETS[dataset]
    if Path(str(original.get("datadir"))).is_dir():
        sections["data"]["datadir"] = str(original["datadir"])
    known = {field.name for field in dataclasses.fields(HierarchicalConfig)}
    settings = reference_settings({**original, "model": model})
    sections["model"] = {"family": "hierarchical"}
    sections["model"].update({key: value for key, value in settings.items() if key in known})
    return hvp.config.parse_config({"name": dataset, **sections}, str(path), overrides)


def load_adam(optimizer: Any, names: Mapping[str, Any], slots: Mapping[str, np.ndarray]) -> None:
    """Loads Adam's moments and step count, so that training goes on where it stopped.

    Args:
        optimizer: a built `keras.optimizers.Adam`.
        names: our variables by their original names.
        slots: the checkpoint's optimizer state by its original names.
    """
    scope = f"{OPTIMIZER_SCOPE}/"
    targets = {f"{scope}iter": optimizer.iterations}
    moments = {v.path: v for v in optimizer.variables}
    for name, variable in names.items():
        for slot, ours in (("m", "momentum"), ("v", "velocity")):
            targets[f"{scope}{name}/{slot}"] = _moment(moments, variable, ours)
    hyperparameters = {f"{scope}{key}" for key in ("learning_rate", "beta_1", "beta_2", "decay")}
    state = {name: array for name, array in slots.items() if name not in hyperparameters}
    assign_by_name(targets, state)


def _moment(moments: Mapping[str, Any], variable: Any, kind: str) -> Any:
    suffix = f"{variable.path.replace('/', '_')}_{kind}"
    return next(v for path, v in moments.items() if path.endswith(suffix))
