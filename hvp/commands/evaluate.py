"""`hvp evaluate`, or `python eval_with_lpips.py`: how well an experiment predicts."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvp.commands.options import (
    Experiment,
    add_count,
    add_devices,
    add_experiment,
    add_seed,
    devices_of,
    open_experiment,
    progress_bar,
    seed_of,
)
from hvp.commands.parser import choice, choices, words
from hvp.commands.predict import FORMATS
from hvp.distances.protocols import FORMS
from hvp.errors import UserError
from hvp.files import require_writable
from hvp.metrics.protocols import PROTOCOLS, find_protocol
from hvp.metrics.registry import METRICS

if TYPE_CHECKING:
    import tensorflow as tf

    from hvp.config import ExperimentConfig
    from hvp.data.video_split import VideoSplit
    from hvp.distances.of_predictions import PredictionDistance
    from hvp.evaluation.open_loop import OpenLoopResult, OpenLoopSettings
    from hvp.evaluation.saving import PredictionFiles

HELP = (
    "Evaluates a trained experiment open loop: the model sees the context frames alone and "
    "predicts the rest. Writes numbers, curves, pictures and report.html into "
    "EXPERIMENT/eval_DATE. Defaults come from the experiment's config.yml."
)
SPLIT = "test"
# Flags that stand for keys of the configuration, which checks and reports them.
FLAGS = {
    "eval_seq_len": "evaluation.seq_len",
    "open_loop_ctx": "evaluation.context",
    "num_examples": "evaluation.num_examples",
    "windows": "evaluation.windows",
    "num_samples": "evaluation.num_samples",
    "batch_size": "evaluation.batch_size",
    "protocol": "evaluation.protocol",
    "metrics": "evaluation.metrics",
    "unusable_videos": "evaluation.unusable_videos",
    "fvd_weights": "evaluation.fvd_weights",
    "features": "evaluation.fvd_features",
    "fvd_context": "evaluation.fvd_context",
    "use_obs": "model.use_obs",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add = parser.add_argument
    add_experiment(parser)
    add_count(parser, "--eval-seq-len", "context and predicted frames together", metavar="FRAMES")
    add_count(parser, "--open-loop-ctx", "context frames", metavar="FRAMES")
    add_count(parser, "--num-examples", "contexts at most")
    add("--windows", metavar="CHOICE", help="contexts: spread, one_per_video or all")
    add_count(parser, "--num-samples", "futures per context, for best of N")
    add("--metrics", type=words, metavar="A,B", help=f"of {','.join(METRICS)}")
    add(
        "--protocol",
        type=choice(PROTOCOLS),
        metavar="NAME",
        help=f"conventions of the metrics: {', '.join(PROTOCOLS)}",
    )
    add(
        "--use-obs", metavar="TTF", help="levels that see the context, a letter each, level 0 first"
    )
    add_count(parser, "--batch-size", "contexts at once; results do not depend on it")
    add_seed(parser, "of the samples")
    add_devices(parser)
    add("--weights-dir", help="folder of the LPIPS weights (HVP_WEIGHTS_DIR, else a download)")
    add(
        "--fvd-weights",
        metavar="PATH",
        help="I3D, a Hub module's folder or a checkpoint: measures FVD (evaluation.fvd_weights)",
    )
    add(
        "--features",
        metavar="WHOSE",
        help=f"measures distances of predictions on these: {FORMS} (evaluation.fvd_features)",
    )
    in_or_out = ("in", "out")
    add(
        "--fvd-context",
        type=choice(in_or_out),
        choices=in_or_out,
        help="whether FVD sees the context (out)",
    )
    ways = ("error", "skip", "salvage")
    add("--unusable-videos", type=choice(ways), choices=ways, help="broken or too short videos")
    add(
        "--save",
        type=choices(FORMATS),
        metavar="A,B",
        help=f"keeps the predictions, of {','.join(FORMATS)}, in predictions/ beside the report",
    )
    add_count(
        parser, "--save-examples", "contexts whose predictions are kept, the first ones (all)"
    )
    add("--no-save-grid", action="store_true", help="no sample grids and GIFs; curves are drawn")


def run(arguments: argparse.Namespace) -> None:
    """Evaluates; what is interrupted leaves nothing."""
    from hvp.experiment.folder import require_predictor

    if arguments.use_obs is not None:
        _check_use_obs(arguments)
    if arguments.save_examples is not None and arguments.save is None:
        raise UserError(
            f"--save-examples {arguments.save_examples}: nothing is saved without --save; add "
            "--save npz"
        )
    experiment = open_experiment(arguments, require_predictor, FLAGS)
    _check(experiment.config)

    devices = devices_of(arguments)
    from hvp.experiment.lock import clear_unfinished, whole_folder

    results = experiment.results
    if results != experiment.folder:
        require_writable(results)
    clear_unfinished(results)
    stamp = f"eval_{datetime.datetime.now():%Y%m%d-%H%M%S}"
    # Made before the work, so that an unwritable place shows at once.
    with whole_folder(results, stamp) as folder:
        page = _evaluate(arguments, experiment, folder.path, devices)
    print(f"report: {folder.path / page.name}")


def _check_use_obs(arguments: argparse.Namespace) -> None:
    """Raises a `UserError` for a family without levels: its configuration has no such key."""
    from hvp.experiment.folder import require_predictor

    family = open_experiment(arguments, require_predictor).config.model.family
    if family != "hierarchical":
        raise UserError(
            f"--use-obs {arguments.use_obs}: a {family} model has no levels to withhold the "
            "context from; leave --use-obs out"
        )


def _check(config: ExperimentConfig) -> None:
    """What can be known before TensorFlow is imported and any data is read."""
    settings = config.evaluation
    if settings.context < 1:  # training alone may do without
        raise UserError(f"evaluation.context must be at least 1, found {settings.context}")
    if settings.context >= settings.seq_len:
        raise UserError(
            f"evaluation.context (--open-loop-ctx) is {settings.context} and leaves nothing to "
            f"predict of evaluation.seq_len (--eval-seq-len) {settings.seq_len}; make it smaller"
        )
    if not settings.metrics:
        raise UserError(f"evaluation.metrics (--metrics) is empty; valid: {', '.join(METRICS)}")
    for metric in settings.metrics:
        if metric not in METRICS:
            raise UserError(
                f"evaluation.metrics (--metrics): unknown metric {metric!r}; valid: "
                f"{', '.join(METRICS)}"
            )
    find_protocol(settings.protocol)
    data = config.data
    if "digit" in settings.metrics and (
        data.dataset != "moving_mnist" or data.datadir is not None or data.num_digits != 1
    ):
        raise UserError(
            "evaluation.metrics (--metrics): digit reads the one digit of each frame of "
            "data.dataset moving_mnist with data.num_digits 1 and data.datadir null; leave it out"
        )
    features = _features(config)
    if features is not None:
        from hvp.distances.embedding import check_embedding

        check_embedding(features, settings.fvd_weights, "--fvd-weights")
        _require_two(settings.num_examples, "--num-examples")


def _features(config: ExperimentConfig) -> str | None:
    """Whose features distances of predictions go by; `None` where they are not asked for."""
    settings = config.evaluation
    return settings.fvd_features or ("i3d" if settings.fvd_weights is not None else None)


def _evaluate(
    arguments: argparse.Namespace,
    experiment: Experiment,
    folder: Path,
    devices: tf.distribute.Strategy,
) -> Path:
    """Loads model and data, predicts, and writes the report into `folder`; returns its page."""
    from hvp.data.video_split import evaluation_split
    from hvp.evaluation.cost import CostMeter
    from hvp.evaluation.open_loop import evaluate
    from hvp.evaluation.report import write_report
    from hvp.evaluation.scorecard.record import write_events

    config = experiment.config
    wanted = config.evaluation
    if "lpips" in wanted.metrics:
        _find_lpips(arguments.weights_dir, wanted.metrics)
    split = evaluation_split(config, SPLIT)
    distance = _prediction_distance(config, split.num_windows, devices)
    checkpoint = experiment.find_checkpoint()
    model, step = experiment.load(devices)
    windows = split.choose_windows(wanted.num_examples, wanted.windows)
    print(f"model: {config.model.family}, checkpoint {checkpoint} (step {step})")
    print(
        f"data: {config.data.dataset}, {SPLIT} split, {split.num_windows} clips of "
        f"{wanted.seq_len} frames, {len(windows)} evaluated"
    )
    batches = split.evaluation_batches(wanted.batch_size, windows=windows, eight_bit=True)
    with progress_bar(len(windows), "context") as progress:
        result = evaluate(
            model,
            batches,
            _settings(arguments, config),
            on_batch=progress.update,
            distance=distance,
            cost=CostMeter(model),
            files=_prediction_files(arguments, config, folder),
        )
    about = _about(config, split) | {"checkpoint": checkpoint, "checkpoint_step": step}
    fvd = None if distance is None else _fvd_record(distance, result)
    page = write_report(result, folder, about, gallery=not arguments.no_save_grid, fvd=fvd)
    write_events(result.scorecard, folder, step)
    _print_summary(result)
    print(f"cost: {result.cost}")
    if fvd is not None:
        print(f"{fvd['metric']}: {fvd['value']:.4g}")
    return page


def _prediction_files(
    arguments: argparse.Namespace, config: ExperimentConfig, folder: Path
) -> PredictionFiles | None:
    """What keeps the predictions, if they are asked for."""
    from hvp.evaluation.saving import PredictionFiles

    if arguments.save is None:
        return None
    wanted = config.evaluation
    target = folder / "predictions"
    limit = arguments.save_examples
    return PredictionFiles(target, arguments.save, wanted.context, wanted.num_samples, limit)


def _settings(arguments: argparse.Namespace, config: ExperimentConfig) -> OpenLoopSettings:
    from hvp.evaluation.open_loop import OpenLoopSettings

    wanted = config.evaluation
    return OpenLoopSettings(
        context=wanted.context,
        horizon=wanted.seq_len - wanted.context,
        num_samples=wanted.num_samples,
        seed=seed_of(arguments, config),
        metrics=tuple(wanted.metrics),
        protocol=wanted.protocol,
        weights_dir=arguments.weights_dir,
        gallery_examples=0 if arguments.no_save_grid else OpenLoopSettings.gallery_examples,
    )


def _about(config: ExperimentConfig, split: VideoSplit) -> dict[str, Any]:
    """What the report says of model and data."""
    return {
        "experiment": config.name,
        "model": config.model.family,
        "use_obs": getattr(config.model, "use_obs", None),
        "dataset": config.data.dataset,
        "datadir": config.data.datadir,
        "split": SPLIT,
        "data_seed": config.seed,
        "clips_in_split": split.num_windows,
        "windows": config.evaluation.windows,
        "videos_left_out": [str(name) for name in split.skipped],
        "batch_size": config.evaluation.batch_size,
    }


def _prediction_distance(
    config: ExperimentConfig, num_clips: int, devices: tf.distribute.Strategy
) -> PredictionDistance | None:
    """What gathers FVD, if it is asked for; reads its network before any frame is predicted."""
    settings, features = config.evaluation, _features(config)
    if features is None:
        return None
    from hvp.distances.embedding import load_embedding, min_frames
    from hvp.distances.of_predictions import PredictionDistance

    _require_two(num_clips, f"{SPLIT} split")
    horizon = settings.seq_len - settings.context
    network = load_embedding(features, settings.fvd_weights, devices)
    return PredictionDistance(
        network, settings.context, horizon, settings.fvd_context, min_frames(features)
    )


def _require_two(contexts: int, of: str) -> None:
    if contexts < 2:
        raise UserError(
            f"FVD (--features, --fvd-weights) needs at least 2 contexts, found {contexts} ({of})"
        )


def _fvd_record(distance: PredictionDistance, result: OpenLoopResult) -> dict[str, Any]:
    height, width, channels = result.frame_shape
    return distance.record({"height": height, "width": width, "channels": channels})


def _find_lpips(weights_dir: str | None, metrics: list[str]) -> None:
    """Looks for the weights before the model is built and any frame is predicted."""
    from hvp.metrics.lpips_weights import weights_folder

    try:
        weights_folder("lpips_alex", weights_dir)
    except UserError as error:
        others = ",".join(metric for metric in metrics if metric != "lpips") or "mse,psnr,ssim"
        raise UserError(f"{error}; without LPIPS: --metrics {others}") from None


def _print_summary(result: OpenLoopResult) -> None:
    from hvp.evaluation.plain import with_interval

    samples = result.settings.num_samples
    kinds = {"mean": "model", "copy_last": "copy last frame"}
    if samples > 1:
        kinds = {"best": f"best of {samples}", "mean": "mean", "copy_last": "copy last frame"}
    print(f"{'':12}" + "".join(f"{label:>24}" for label in kinds.values()))
    for name, curves in result.curves.items():
        digits = METRICS[name].decimals
        shown = (curves[kind] for kind in kinds)
        cells = (with_interval(c.overall, c.overall_interval, digits) for c in shown)
        print(f"{METRICS[name].label:12}" + "".join(f"{cell:>24}" for cell in cells))
