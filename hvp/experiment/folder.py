"""The folder of a run, `LOGDIR/NAME`: what is where, and whether a run may go on in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hvp.config import ExperimentConfig, load_config
from hvp.errors import UserError
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
    },
}


def open_run_folder(config: ExperimentConfig, logdir: str | Path) -> Path:
    """Makes or reopens `logdir/NAME`, writes its `config.yml`, and returns it.

    Raises:
        UserError: if the folder cannot be written to, or holds a run with other settings.
    """
    folder = Path(logdir) / config.name
    path = folder / CONFIG_FILE
    require_writable(folder / MODEL_FOLDER)
    if path.is_file() and any((folder / MODEL_FOLDER).glob("*.index")):
        changed = changed_keys(load_config(path), config)
        if changed:
            raise UserError(
                f"{folder}: holds a run with other settings ({'; '.join(changed)}); go on with "
                f"its own settings (--config {path}), or start another run with --set name=NEW"
            )
    with replacing(path) as temporary:
        config.save(temporary)
    return folder


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
