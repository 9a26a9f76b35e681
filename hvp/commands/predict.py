"""`python -m hvp predict`: its command line."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvp.commands.options import add_overrides, check_fps, check_seed, parse_formats
from hvp.config import DataConfig, ExperimentConfig, load_config
from hvp.data.prepared_folder import is_prepared, read_info
from hvp.errors import UserError, writing
from hvp.files import require_writable

if TYPE_CHECKING:
    from hvp.data.video_io import Crop
    from hvp.evaluation.own_videos import PredictionSettings
    from hvp.models.base import VideoModel

FORMATS = ("gif", "mp4", "png", "npz")
SUMMARY_FILE = "predictions.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add = parser.add_argument
    add("--logdir", required=True, help="an experiment, logs/NAME or logs/NAME/model")
    add(
        "--input",
        required=True,
        nargs="+",
        metavar="PATH",
        help="videos, folders of frames, folders of either",
    )
    add("--out", help="folder (EXPERIMENT/predictions); every video gets a folder in it")
    add("--context", type=int, metavar="FRAMES", help="frames shown (evaluation.context)")
    add("--horizon", type=int, metavar="FRAMES", help="frames predicted (the evaluation's)")
    add("--samples", type=int, default=4, metavar="N", help="futures of every video (4)")
    add(
        "--start",
        type=int,
        default=0,
        metavar="FRAME",
        help="first frame shown (0); below 0 from the end: --start -10 --context 10 predicts what "
        "follows the last frame",
    )
    add("--every", type=int, metavar="N", help="keep every n-th frame (as in training)")
    add(
        "--crop",
        choices=("none", "center"),
        help="squeeze the picture into the model's size (none), or cut its middle out first "
        "(as in training)",
    )
    add("--format", default="gif", metavar="A,B", help=f"of {','.join(FORMATS)} (gif)")
    add("--fps", type=float, default=12, help="frames per second of what is written (12)")
    add("--seed", type=int, help="of the samples (the experiment's)")
    add("--strict", action="store_true", help="refuse videos of other size or with colours")
    add("--checkpoint", default="latest", metavar="WHICH", help="latest (default), best or a step")
    add_overrides(parser, of="the experiment's configuration")


def run(arguments: argparse.Namespace) -> int:
    """Predicts; exit code 0, or 2 if some of several videos could not be used."""
    from hvp.experiment.folder import CONFIG_FILE, find_run_folder, require_predictor

    experiment = find_run_folder(arguments.logdir)
    config = load_config(experiment / CONFIG_FILE, arguments.overrides)
    require_predictor(experiment, config)
    formats = parse_formats(arguments.format, FORMATS)
    chosen = _settings(arguments, config)
    out = Path(arguments.out) if arguments.out else experiment / "predictions"
    _make_folder(out, arguments.input)
    try:
        return _predict_all(arguments, experiment, config, chosen, formats, out)
    finally:
        if not any(out.iterdir()):
            out.rmdir()


def _predict_all(
    arguments: argparse.Namespace,
    experiment: Path,
    config: ExperimentConfig,
    chosen: dict[str, Any],
    formats: list[str],
    out: Path,
) -> int:
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.evaluation.own_videos import PredictionSettings, check_prediction_settings, find_videos
    from hvp.text import folder_names, printable

    paths = find_videos(map(Path, arguments.input))
    model, step = _load_predictor(arguments, experiment, config)
    settings = PredictionSettings(**chosen)
    check_prediction_settings(settings, model)
    kind = "grey" if model.channels == 1 else "RGB"
    print(
        f"model: {config.model.family}, step {step}, {model.width}x{model.height} {kind}; "
        f"{settings.context} frames of context, {settings.horizon} predicted"
    )
    taken = _taken_from_training(arguments, settings)
    if taken:
        print(f"as in training: {', '.join(taken)}")
    fps = trained_on(config.data)[2]
    if fps is not None:
        print(
            f"note: the training data were resampled to {fps:g} frames per second; videos are used "
            "as they are, so choose --every to come near that"
        )
    done, failed = [], {}
    for path, name in zip(paths, folder_names(paths, [SUMMARY_FILE]), strict=True):
        try:
            done.append(_predict_one(model, path, out / name, settings, formats, arguments.fps))
        except UnusableVideo as error:
            if len(paths) == 1:
                raise
            print(f"error: {error}", file=sys.stderr)
            failed[str(path)] = str(error)
    about = {
        "experiment": str(experiment),
        "model": config.model.family,
        "checkpoint_step": step,
        **chosen,
        "videos": done,
        "failed": failed,
    }
    with writing(out):
        (out / SUMMARY_FILE).write_text(json.dumps(about, indent=2), encoding="utf-8")
    if failed:
        print(f"error: {len(failed)} of {len(paths)} videos cannot be used", file=sys.stderr)
    print(f"videos predicted: {len(done)}; {printable(out)}")
    return 2 if failed else 0


class UnusableVideo(UserError):
    """One of the videos cannot be used; the others may be."""


def _predict_one(
    model: VideoModel,
    path: Path,
    folder: Path,
    settings: PredictionSettings,
    formats: list[str],
    fps: float,
) -> dict[str, Any]:
    """Predicts one video and says so; returns what `SUMMARY_FILE` says of it."""
    from hvp.evaluation.own_videos import predict, read_clip, write_prediction
    from hvp.text import printable

    try:
        clip = read_clip(path, settings, model.height, model.width, model.channels)
    except UserError as error:
        raise UnusableVideo(" ".join(str(error).split())) from error
    example, deterministic = predict(model, clip, printable(path.name), settings)
    write_prediction(example, settings.context, folder, formats, fps)
    known = len(clip.frames) - settings.context
    notes = [*clip.changes, f"true frames for {known} of {settings.horizon} predicted ones"]
    if deterministic:
        notes.append("all samples of this model are equal, so there is one and no spread")
    print(f"{printable(path)}: {'; '.join(notes)}: {printable(folder)}")
    return {
        "video": str(path),
        "folder": folder.name,
        "height": clip.size[0],
        "width": clip.size[1],
        "changes": clip.changes,
        "true_frames": known,
        "samples_written": len(example.samples),
    }


def _load_predictor(
    arguments: argparse.Namespace, experiment: Path, config: ExperimentConfig
) -> tuple[VideoModel, int]:
    from hvp.experiment.checkpoints import load_experiment

    _, model, step = load_experiment(experiment, arguments.checkpoint, arguments.overrides)
    return model, step


def trained_on(data: DataConfig) -> tuple[Crop, int, float | None]:
    """How a model's training data were cropped, every which frame they have, and `prepare --fps`.

    By the experiment's configuration and, while that folder is there, by what `prepare` made.
    """
    crop, every, fps = data.crop, data.frame_step, None
    if is_prepared(data.datadir):
        try:
            options = read_info(Path(data.datadir))["options"]
        except UserError:  # predicting needs no data set
            return crop, every, fps
        crop = options.get("crop", crop)
        every *= options.get("every", 1)
        fps = options.get("fps")
    return crop, every, fps


def _taken_from_training(arguments: argparse.Namespace, settings: PredictionSettings) -> list[str]:
    """The flags whose defaults do something to the videos, because the training data had it."""
    taken = []
    if arguments.every is None and settings.every != 1:
        taken.append(f"--every {settings.every}")
    if arguments.crop is None and settings.crop != "none":
        taken.append(f"--crop {settings.crop}")
    return taken


def _settings(arguments: argparse.Namespace, config: ExperimentConfig) -> dict[str, Any]:
    """The keyword arguments of `PredictionSettings`, checked without TensorFlow."""
    evaluation = config.evaluation
    context = evaluation.context if arguments.context is None else arguments.context
    horizon = evaluation.seq_len - evaluation.context
    horizon = horizon if arguments.horizon is None else arguments.horizon
    counts = {"context": context, "horizon": horizon}
    crop, every, _ = trained_on(config.data)
    every = every if arguments.every is None else arguments.every
    counts |= {"samples": arguments.samples, "every": every}
    for flag, value in counts.items():
        if value < 1:
            raise UserError(f"--{flag} must be at least 1, found {value}")
    seed = config.seed if arguments.seed is None else arguments.seed
    check_seed(seed)
    check_fps(arguments.fps)
    return {
        "context": context,
        "horizon": horizon,
        "num_samples": arguments.samples,
        "seed": seed,
        "start": arguments.start,
        "every": every,
        "crop": arguments.crop or crop,
        "strict": arguments.strict,
    }


def _make_folder(out: Path, inputs: list[str]) -> None:
    """Before any work, so that an unwritable place shows at once."""
    if any(out.resolve() == Path(path).resolve() for path in inputs):
        raise UserError(f"--out {out}: is the input; choose another folder")
    require_writable(out)
