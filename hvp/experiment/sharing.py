"""A run passed on as a folder, with a card that says what it is: `hvp share`."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import yaml

from hvp.config import ExperimentConfig
from hvp.errors import UserError, writing
from hvp.experiment.checkpoints import load_experiment, variables_by_name
from hvp.experiment.folder import CONFIG_FILE, find_run_folder
from hvp.experiment.shared_folder import (
    WEIGHTS_FILE,
    is_generator,
    is_shared,
    shared_variables,
    write_record,
    write_weights,
)
from hvp.experiment.starts import commits
from hvp.models.base import VideoModel
from hvp.pixels import to_uint8
from hvp.provenance import made_with

CARD_FILE, CURVE_FILE = "README.md", "curve.csv"
PICTURES = ("grid_1.png", "comparison_1.gif", "curves.png")  # of an evaluation
KINDS = {  # of an evaluation's numbers
    "mean_over_samples": "model",
    "best_of_n": "best sample",
    "copy_last_frame": "last frame repeated",
}


def share(
    path: str | Path,
    to: Path,
    title: str | None = None,
    precision: str = "float16",
    checkpoint: str | int = "latest",
) -> Path:
    """Writes a run's model into a folder of its own.

    Args:
        path: `logs/NAME`; of a predictor, evaluated at that checkpoint.
        to: the folder; it must be empty or hold a model that was shared before.
        title: what the model is, in a line.
        precision: `float16` or `float32`, in which weights are stored.
        checkpoint: as of `load_experiment`.

    Returns:
        `to`, with `config.yml`, `weights.npz`, `preset.json`, `curve.csv`, pictures and the card
        `README.md`.

    Raises:
        UserError: if the run cannot be read, was not evaluated, or `to` cannot be written to.
    """
    run = find_run_folder(path)
    if is_shared(run):
        raise UserError(f"{run}: was shared already; copy the folder")
    config, model, step = load_experiment(run, checkpoint)
    evaluation = None if is_generator(config) else _newest_evaluation(run, step)
    _prepare(to)
    config.save(to / CONFIG_FILE)
    variables = shared_variables(model, variables_by_name(model))
    record = {
        "title": title or _title(config),
        "family": config.model.family,
        "step": step,
        "weights": write_weights(variables, to, precision),
        "training": {"command": f"hvp train --config {CONFIG_FILE}", "commit": commits(run, step)},
        "made_with": made_with(),
        "evaluation": None if evaluation is None else _numbers(evaluation),
    }
    write_record(record, to)
    _write_curve(run, step, to / CURVE_FILE)
    pictures = (
        _copy_pictures(evaluation, to) if evaluation else [_draw_generated(model, config, to)]
    )
    with writing(to):
        (to / CARD_FILE).write_text(_card(config, record, pictures), encoding="utf-8")
    return to


def _title(config: ExperimentConfig) -> str:
    data = config.data
    return f"{config.model.family}, {data.dataset}, {data.height}x{data.width}"


def _prepare(to: Path) -> None:
    with writing(to):
        to.mkdir(parents=True, exist_ok=True)
        if any(to.iterdir()) and not (to / WEIGHTS_FILE).is_file():
            raise UserError(f"{to}: holds something else; choose another folder with --to")


def _newest_evaluation(run: Path, step: int) -> Path:
    """The newest evaluation of a run at a step."""
    for folder in sorted(run.glob("eval_*"), reverse=True):
        try:
            content = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
            if content["protocol"]["checkpoint_step"] == step:
                return folder
        except (OSError, ValueError, KeyError, TypeError):
            continue
    raise UserError(
        f"{run}: has no evaluation of step {step}, which the model's card tells of; first "
        f"hvp evaluate --logdir {run}"
    )


def _numbers(evaluation: Path) -> dict[str, Any]:
    """An evaluation's protocol, means over the horizon, and those of the last frame alone."""
    content = json.loads((evaluation / "metrics.json").read_text(encoding="utf-8"))
    return {
        "summary": content["summary"],
        "last_frame": {
            metric: {kind: curve["mean"][-1] for kind, curve in kinds.items()}
            for metric, kinds in content["per_frame"].items()
        },
        "protocol": content["protocol"],
    }


def _write_curve(run: Path, step: int, path: Path) -> None:
    """The loss of training and validation by step."""
    with writing(path), path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["step", "split", "loss"])
        for split in ("train", "val"):
            for at, loss in _losses(run / split):
                if at <= step:
                    rows.writerow([at, split, f"{loss:.6g}"])


def _losses(folder: Path) -> Iterator[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for file in sorted(folder.glob("events.out.tfevents.*")):
        events = EventAccumulator(str(file), size_guidance={"tensors": 0})
        events.Reload()
        if "loss" in events.Tags()["tensors"]:
            for event in events.Tensors("loss"):
                yield event.step, float(tf.make_ndarray(event.tensor_proto))


def _copy_pictures(evaluation: Path, to: Path) -> list[str]:
    found = [name for name in PICTURES if (evaluation / name).is_file()]
    with writing(to):
        for name in found:
            shutil.copyfile(evaluation / name, to / name)
    return found


def _draw_generated(model: VideoModel, config: ExperimentConfig, to: Path) -> str:
    """A row of frames for each of four generated videos."""
    from PIL import Image

    videos = to_uint8(model.generate(4, int(config.data.seq_len), seed=0))
    shown = max(1, videos.shape[1] // 8)  # every so many frames
    rows = [np.concatenate(list(video[::shown]), axis=1) for video in videos]
    frames = np.concatenate(rows)
    sheet = Image.fromarray(frames[..., 0] if model.channels == 1 else frames)
    with writing(to):
        sheet.resize((2 * sheet.width, 2 * sheet.height)).save(to / "generated.png")
    return "generated.png"


def _card(config: ExperimentConfig, record: Mapping[str, Any], pictures: list[str]) -> str:
    """The model card, in Markdown."""
    front = {"library_name": "hvp", "tags": ["video-prediction", config.model.family]}
    weights, training = record["weights"], record["training"]
    commit = training["commit"] or "unknown"
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n\n# {record['title']}",
        "```python\nimport hvp\n\nmodel = hvp.from_preset(FOLDER)\n```",
        _evaluation_text(record["evaluation"]),
        *(f"![{name.partition('.')[0]}]({name})" for name in pictures),
        f"## Data\n\n```yaml\n{_yaml(config, 'data')}```",
        f"## Training\n\n{record['step']} updates; `{training['command']}` in this folder does "
        f"them again (hvp {record['made_with']['hvp_version']}, commit {commit}, "
        f"TensorFlow {record['made_with']['tensorflow_version']}). `curve.csv` has the losses.\n\n"
        f"```yaml\n{_yaml(config, 'model')}{_yaml(config, 'training')}```",
        f"## Weights\n\n`{weights['file']}`: {weights['values']:,} values, {weights['precision']}, "
        f"{weights['bytes']:,} bytes, SHA-256 `{weights['sha256']}`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _yaml(config: ExperimentConfig, section: str) -> str:
    return yaml.safe_dump({section: config.to_dict()[section]}, sort_keys=False)


def _evaluation_text(evaluation: Mapping[str, Any] | None) -> str:
    if evaluation is None:
        return ""
    protocol, last = evaluation["protocol"], evaluation["last_frame"]
    kinds = [kind for kind in KINDS if kind in next(iter(last.values()))]
    lines = [
        "| | " + " | ".join(f"{KINDS[k]}, mean | last frame" for k in kinds) + " |",
        "|---" * (2 * len(kinds) + 1) + "|",
    ]
    for metric, row in evaluation["summary"].items():
        cells = (f"{row[k]['mean']:.4g} | {last[metric][k]:.4g}" for k in kinds)
        lines.append(f"| {metric} | " + " | ".join(cells) + " |")
    return (
        f"## Evaluation\n\n{protocol['num_contexts']} contexts of {protocol['context']} frames, "
        f"{protocol['horizon']} predicted, {protocol['num_samples']} samples each; protocol "
        f"`{protocol['name']}`, {protocol['dataset']}, {protocol['split']} split.\n\n"
        + "\n".join(lines)
    )
