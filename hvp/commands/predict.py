"""`hvp predict`: how one's own videos go on."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvp.commands.options import (
    Experiment,
    add_count,
    add_experiment,
    add_formats,
    add_fps,
    add_out,
    add_seed,
    open_experiment,
    seed_of,
)
from hvp.commands.parser import choice, real
from hvp.errors import UserError, writing
from hvp.files import require_writable
from hvp.text import printable

if TYPE_CHECKING:
    from hvp.config import DataConfig, ExperimentConfig
    from hvp.data.video_io import Crop
    from hvp.drawing.examples import Example
    from hvp.drawing.live import Window
    from hvp.evaluation.own_videos import PredictionSettings
    from hvp.models.base import VideoModel

HELP = (
    "Predicts how videos of your own go on: resizes them as the model needs it, draws several "
    "futures of each, and writes them beside the truth as far as it is known."
)
FORMATS = ("gif", "mp4", "png", "npz")
CROPS = ("none", "center")
SUMMARY_FILE = "predictions.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add = parser.add_argument
    add_experiment(parser)
    add(
        "--input",
        required=True,
        nargs="+",
        metavar="PATH",
        help="videos, folders of frames, folders of either",
    )
    add_out(parser, "folder (EXPERIMENT/predictions); every video gets a folder in it")
    add_count(parser, "--context", "frames shown (evaluation.context)", metavar="FRAMES")
    add_count(parser, "--horizon", "frames predicted (the evaluation's)", metavar="FRAMES")
    add_count(parser, "--samples", "futures of every video", default=4)
    add(
        "--start",
        type=int,
        default=0,
        metavar="FRAME",
        help="first frame shown (0); below 0 from the end: --start -10 --context 10 predicts what "
        "follows the last frame",
    )
    add_count(parser, "--every", "keep every n-th frame (as in training)")
    add(
        "--crop",
        type=choice(CROPS),
        choices=CROPS,
        help="squeeze the picture into the model's size (none), or cut its middle out first "
        "(as in training)",
    )
    add_formats(parser, FORMATS, default="gif")
    add_fps(parser)
    add_seed(parser, "of the samples")
    add("--live", action="store_true", help="play frames in a window as soon as they are predicted")
    add(
        "--delay",
        type=real(0.0, 60.0),
        metavar="SECONDS",
        help="that a frame stays in it (as --fps says)",
    )
    add("--strict", action="store_true", help="refuse videos of other size or with colours")


def run(arguments: argparse.Namespace) -> int:
    """Predicts; exit code 0, or 2 if some of several videos could not be used."""
    from hvp.experiment.folder import require_predictor

    experiment = open_experiment(arguments, require_predictor)
    chosen = _settings(arguments, experiment.config)
    window = _window(arguments)
    out = Path(arguments.out or experiment.results / "predictions")
    _make_folder(out, arguments.input)
    try:
        return _predict_all(arguments, experiment, chosen, out, window)
    finally:
        if not any(out.iterdir()):
            out.rmdir()


def _predict_all(
    arguments: argparse.Namespace,
    experiment: Experiment,
    chosen: dict[str, Any],
    out: Path,
    window: Window | None,
) -> int:
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.evaluation.own_videos import PredictionSettings, check_prediction_settings, find_videos

    paths = find_videos(map(Path, arguments.input))
    model, step = experiment.load()
    settings = PredictionSettings(**chosen)
    check_prediction_settings(settings, model)
    _print_model(arguments, experiment.config, model, step, settings)
    done, failed = _predict_each(arguments, model, paths, settings, out, window)
    about = {
        "experiment": str(experiment.folder),
        "model": experiment.config.model.family,
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


def _print_model(
    arguments: argparse.Namespace,
    config: ExperimentConfig,
    model: VideoModel,
    step: int,
    settings: PredictionSettings,
) -> None:
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


def _predict_each(
    arguments: argparse.Namespace,
    model: VideoModel,
    paths: list[Path],
    settings: PredictionSettings,
    out: Path,
    window: Window | None,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """What was predicted, and why other videos were not."""
    from hvp.text import folder_names

    done, failed = [], {}
    for path, name in zip(paths, folder_names(paths, [SUMMARY_FILE]), strict=True):
        try:
            done.append(_predict_one(arguments, model, path, out / name, settings, window))
        except UnusableVideo as error:
            if len(paths) == 1:
                raise
            print(f"error: {error}", file=sys.stderr)
            failed[str(path)] = str(error)
    return done, failed


class UnusableVideo(UserError):
    """One of the videos cannot be used; the others may be."""


def _predict_one(
    arguments: argparse.Namespace,
    model: VideoModel,
    path: Path,
    folder: Path,
    settings: PredictionSettings,
    window: Window | None,
) -> dict[str, Any]:
    """Predicts one video and says so; returns what `SUMMARY_FILE` says of it."""
    from hvp.evaluation.own_videos import predict, read_clip, write_prediction

    try:
        clip = read_clip(path, settings, model.height, model.width, model.channels)
    except UserError as error:
        raise UnusableVideo(" ".join(str(error).split())) from error
    name, show = printable(path.name), None
    if window is not None:
        show = partial(_play, window, context=settings.context)
    example, deterministic = predict(model, clip, name, settings, show)
    write_prediction(example, settings.context, folder, arguments.format, arguments.fps)
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


def _play(window: Window, example: Example, frames: range, context: int) -> None:
    """Shows some frames, with what there is of the truth beside them."""
    from hvp.drawing.comparison import comparison_frames

    drawn = comparison_frames(example, context)
    window.play(example.name, (drawn[t] for t in frames))


def trained_on(data: DataConfig) -> tuple[Crop, int, float | None]:
    """How a model's training data were cropped, every which frame they have, and `prepare --fps`.

    By the experiment's configuration and, while that folder is there, by what `prepare` made.
    """
    from hvp.data.prepared_folder import is_prepared, read_info

    crop, every, fps = data.crop, data.frame_step, None
    if data.datadir is not None and is_prepared(data.datadir):
        try:
            options = read_info(Path(data.datadir)).options
        except UserError:  # predicting needs no data set
            return crop, every, fps
        crop, fps = options.crop, options.fps
        every *= options.every
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
    crop, every, _ = trained_on(config.data)
    horizon = arguments.horizon or evaluation.seq_len - evaluation.context
    if horizon < 1:
        raise UserError(f"evaluation.seq_len leaves {horizon} frames to predict; pass --horizon")
    return {
        "context": arguments.context or evaluation.context,
        "horizon": horizon,
        "num_samples": arguments.samples,
        "seed": seed_of(arguments, config),
        "start": arguments.start,
        "every": arguments.every or every,
        "crop": arguments.crop or crop,
        "strict": arguments.strict,
        "sixteen_bit": config.data.sixteen_bit,
    }


def _window(arguments: argparse.Namespace) -> Window | None:
    """The window of `--live`, before any work, so that a missing display shows at once."""
    if not arguments.live:
        if arguments.delay is not None:
            raise UserError(f"--delay {arguments.delay:g}: is of --live, which is not given")
        return None
    from hvp.drawing.live import Window

    return Window(1 / arguments.fps if arguments.delay is None else arguments.delay)


def _make_folder(out: Path, inputs: list[str]) -> None:
    """Before any work, so that an unwritable place shows at once."""
    if any(out.resolve() == Path(path).resolve() for path in inputs):
        raise UserError(f"--out {out}: is the input; choose another folder")
    require_writable(out)
