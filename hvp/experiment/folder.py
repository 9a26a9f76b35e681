"""The folder of a run, `LOGDIR/NAME`: what is where, and whether a run may go on in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hvp.config import ExperimentConfig, load_config
from hvp.errors import UserError
from hvp.experiment.checkpoint_files import CheckpointFiles
from hvp.experiment.lock import clear_unfinished
from hvp.families import FAMILIES
from hvp.files import replacing, require_writable

CONFIG_FILE = "config.yml"
MODEL_FOLDER = "model"
BEST_FOLDER = "best"
# What may change between the sessions of one run: they do not alter the updates already made.
FREE_KEYS = {
    "data": {"datadir", "cache_dir"},
    "model": {"stage"},  # parts of a model that are trained one after the other
    "training": {
        "epochs",
        "steps",
        "strategy",
        "sync_batch_norm",
        "worker_timeout",
        "steps_per_call",
        "log_every",
        "gifs_every",
        "gif_samples",
        "validate_every",
        "validation_batches",
        "checkpoint_every",
        "keep_checkpoints",
        "best_metric",
        "fvd_every",
        "generators_every",
        "fvd_protocol",
        "early_stopping",
        "callbacks",
    },
}


def open_run_folder(config: ExperimentConfig, logdir: str | Path, write: bool = True) -> Path:
    """Makes or reopens `logdir/NAME`, writes its `config.yml`, and returns it.

    Args:
        write: whether to write the configuration; of several workers only the chief does.

    Raises:
        UserError: if the folder cannot be written to, or holds a run with other settings.
    """
    folder = Path(logdir) / config.name
    path = folder / CONFIG_FILE
    make_run_folder(folder)
    if path.is_file() and CheckpointFiles(folder / MODEL_FOLDER).steps():
        changed = changed_keys(load_config(path), config)
        if changed:
            raise UserError(
                f"{folder}: holds a run with other settings ({'; '.join(changed)}); go on with "
                f"its own settings (--config {path}), or start another run with --set name=NEW"
            )
    if write:
        with replacing(path) as temporary:
            config.save(temporary)
    return folder


def make_run_folder(folder: Path) -> None:
    """Makes a run's folder if need be, and `model/` in it.

    Raises:
        UserError: if it cannot be written to, or has a name that TensorFlow cannot write to.
    """
    try:
        str(folder.absolute()).encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{folder}: this path is not valid UTF-8, which TensorFlow asks for; choose another "
            "--logdir"
        ) from None
    require_writable(folder / MODEL_FOLDER)


def clear_leftovers(folder: Path) -> None:
    """Removes what killed processes left in a run's folder; call it where no other one trains."""
    model = folder / MODEL_FOLDER
    for place in (folder, model, model / BEST_FOLDER, folder / "train", folder / "val"):
        if place.is_dir():
            for path in place.glob(".*.partial"):
                path.unlink(missing_ok=True)
    for place in (model, model / BEST_FOLDER):
        CheckpointFiles(place).clear_leftovers()
    for path in folder.glob("eval_*"):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    clear_unfinished(folder)


def changed_keys(old: ExperimentConfig, new: ExperimentConfig) -> list[str]:
    """Differences that forbid going on: `section.key: old -> new` for each."""

    def flat(config: ExperimentConfig) -> dict[str, Any]:
        values = config.to_dict()
        keys = {"seed": values["seed"]}
        for section in ("data", "model", "training"):
            free = FREE_KEYS.get(section, set())
            if section == "training" and config.training.schedule != "constant":
                free = free - {"epochs", "steps"}  # the schedule is stretched over them
            keys.update({f"{section}.{k}": v for k, v in values[section].items() if k not in free})
        return keys

    before, after = flat(old), flat(new)
    return [
        f"{key}: {before.get(key)} -> {after.get(key)}"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]


def find_run_folder(path: str | Path) -> Path:
    """The run's folder from `logs/NAME` or `logs/NAME/model`.

    Raises:
        UserError: if there is no `config.yml` in either.
    """
    path = Path(path)
    for folder in (path, path.parent):
        if (folder / CONFIG_FILE).is_file():
            return folder
    if not path.exists():
        raise UserError(f"{path}: no such folder; train first, or check --logdir")
    raise UserError(f"{path}: holds no {CONFIG_FILE}, so it is not the folder of a run")


def require_predictor(folder: Path, config: ExperimentConfig) -> None:
    """Raises a `UserError` if the experiment in `folder` is a generator's."""
    if FAMILIES[config.model.family].generates:
        raise UserError(
            f"{folder}: a {config.model.family} model does not predict how a video goes on; choose "
            "the experiment of a predictor, or use python -m hvp generate and python -m hvp fvd"
        )


def require_generator(folder: Path, config: ExperimentConfig) -> None:
    """Raises a `UserError` if the experiment in `folder` is a predictor's."""
    if not FAMILIES[config.model.family].generates:
        raise UserError(
            f"{folder}: a {config.model.family} model does not generate videos; choose the "
            "experiment of a generator, or use python -m hvp predict"
        )
