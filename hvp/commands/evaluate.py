"""`python eval_with_lpips.py`: the command line of evaluation."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hvp.commands.options import add_overrides
from hvp.config import ExperimentConfig, load_config
from hvp.errors import UserError, command
from hvp.metrics.protocols import PROTOCOLS, find_protocol
from hvp.metrics.registry import METRICS
from hvp.metrics.statistics import Curve

_SPLIT = "test"


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python eval_with_lpips.py",
        description=(
            "Evaluates a trained experiment open loop: the model sees the context frames alone and "
            "predicts the rest. Writes numbers, curves, pictures and report.html into "
            "EXPERIMENT/eval_DATE. Defaults come from the experiment's config.yml."
        ),
    )
    add = result.add_argument
    add("--logdir", required=True, help="an experiment, logs/NAME or logs/NAME/model")
    add("--eval-seq-len", type=int, metavar="FRAMES", help="context and predicted frames together")
    add("--open-loop-ctx", type=int, metavar="FRAMES", help="context frames")
    add("--num-examples", type=int, metavar="N", help="contexts at most")
    add("--num-samples", type=int, metavar="N", help="futures per context, for best of N")
    add("--metrics", metavar="A,B", help=f"of {','.join(METRICS)}")
    add("--protocol", metavar="NAME", help=f"conventions of the metrics: {', '.join(PROTOCOLS)}")
    add("--datadir", help="where the data set is; overrides data.datadir")
    add(
        "--use-obs", metavar="TTF", help="levels that see the context, a letter each, level 0 first"
    )
    add("--checkpoint", default="latest", metavar="WHICH", help="latest (default), best or a step")
    add("--batch-size", type=int, metavar="N", help="contexts at once; results do not depend on it")
    add("--seed", type=int, help="of the samples (the experiment's)")
    add("--weights-dir", help="folder of the LPIPS weights (HVP_WEIGHTS_DIR, else a download)")
    add(
        "--fvd-weights",
        metavar="PATH",
        help="I3D, a Hub module's folder or a checkpoint: measures FVD (evaluation.fvd_weights)",
    )
    add("--fvd-context", choices=("in", "out"), help="whether FVD sees the context (out)")
    add("--unusable-videos", choices=("error", "skip"), help="broken or too short videos")
    add("--no-save-grid", action="store_true", help="no sample grids and GIFs; curves are drawn")
    add_overrides(result, of="the experiment's configuration")
    return result


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Evaluates; exit code 0, 2 for a mistake of the user, 130 when interrupted."""
    arguments = parser().parse_args(argv)
    from hvp.experiment.folder import CONFIG_FILE, find_run_folder, require_predictor

    experiment = find_run_folder(arguments.logdir)
    overrides = _overrides(arguments)
    if arguments.use_obs is not None:
        _check_use_obs(load_config(experiment / CONFIG_FILE), arguments.use_obs)
        overrides.append(f'model.use_obs="{arguments.use_obs}"')
    config = load_config(experiment / CONFIG_FILE, overrides)
    require_predictor(experiment, config)
    _check(config)

    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.evaluation.report import new_folder

    folder = new_folder(experiment)  # before the work, so that an unwritable place shows at once
    try:
        return _run(arguments, experiment, config, overrides, folder)
    except KeyboardInterrupt:
        print("interrupted; nothing was evaluated to the end", file=sys.stderr)
        return 130
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


def _overrides(arguments: argparse.Namespace) -> list[str]:
    """The flags as configuration overrides, so that one place checks and reports them."""
    keys = {
        "data.datadir": arguments.datadir and f'"{arguments.datadir}"',
        "evaluation.seq_len": arguments.eval_seq_len,
        "evaluation.context": arguments.open_loop_ctx,
        "evaluation.num_examples": arguments.num_examples,
        "evaluation.num_samples": arguments.num_samples,
        "evaluation.batch_size": arguments.batch_size,
        "evaluation.protocol": arguments.protocol,
        "evaluation.metrics": arguments.metrics and f"[{arguments.metrics}]",
        "evaluation.unusable_videos": arguments.unusable_videos,
        "evaluation.fvd_weights": arguments.fvd_weights and json.dumps(arguments.fvd_weights),
        "evaluation.fvd_context": arguments.fvd_context,
    }
    return [
        *arguments.overrides,
        *(f"{key}={value}" for key, value in keys.items() if value is not None),
    ]


def _check_use_obs(config: ExperimentConfig, letters: str) -> None:
    if config.model.family != "hierarchical":
        raise UserError(
            f"--use-obs {letters}: a {config.model.family} model has no levels to withhold the "
            "context from; leave --use-obs out"
        )
    from hvp.models.hierarchical.config import parse_use_obs

    try:
        parse_use_obs(letters, config.model.levels)
    except ValueError as error:
        raise UserError(f"--use-obs {letters}: {error}") from None


def _check(config: ExperimentConfig) -> None:
    """What can be known before TensorFlow is imported and any data is read."""
    settings = config.evaluation
    for key, flag in (
        ("context", "--open-loop-ctx"),
        ("num_examples", "--num-examples"),
        ("num_samples", "--num-samples"),
        ("batch_size", "--batch-size"),
    ):
        if getattr(settings, key) < 1:
            raise UserError(
                f"evaluation.{key} ({flag}) must be at least 1, found {getattr(settings, key)}"
            )
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
    if settings.fvd_weights is not None:
        from hvp.distances.i3d_checkpoint import find_i3d_checkpoint

        find_i3d_checkpoint(settings.fvd_weights, "--fvd-weights")
        if settings.num_examples < 2:
            raise UserError("FVD (--fvd-weights) needs at least 2 contexts (--num-examples)")


def _run(
    arguments: argparse.Namespace,
    experiment: Path,
    config: ExperimentConfig,
    overrides: list[str],
    folder: Path,
) -> int:
    from tqdm import tqdm

    from hvp.data.dataset import VideoSplit
    from hvp.evaluation.open_loop import OpenLoopSettings, evaluate
    from hvp.evaluation.report import write_report
    from hvp.experiment.checkpoints import find_checkpoint, load_experiment

    wanted = config.evaluation
    if "lpips" in wanted.metrics:
        _find_lpips(arguments.weights_dir, wanted.metrics)
    split = VideoSplit(
        config.data,
        _SPLIT,
        seq_len=wanted.seq_len,
        seed=config.seed,
        unusable_videos=wanted.unusable_videos,
    )
    distance = _prediction_distance(config, split.num_windows)
    checkpoint = find_checkpoint(experiment, arguments.checkpoint)
    _, model, step = load_experiment(experiment, arguments.checkpoint, overrides)
    total = min(wanted.num_examples, split.num_windows)
    print(f"model: {config.model.family}, checkpoint {checkpoint} (step {step})")
    print(
        f"data: {config.data.dataset}, {_SPLIT} split, {split.num_windows} clips of "
        f"{wanted.seq_len} frames, {total} evaluated"
    )
    settings = OpenLoopSettings(
        context=wanted.context,
        horizon=wanted.seq_len - wanted.context,
        num_samples=wanted.num_samples,
        seed=config.seed if arguments.seed is None else arguments.seed,
        metrics=tuple(wanted.metrics),
        protocol=wanted.protocol,
        weights_dir=arguments.weights_dir,
        gallery_examples=0 if arguments.no_save_grid else OpenLoopSettings.gallery_examples,
    )
    with tqdm(total=total, unit="context", disable=not sys.stderr.isatty()) as progress:
        result = evaluate(
            model,
            split.evaluation_batches(wanted.batch_size, limit=wanted.num_examples),
            settings,
            on_batch=progress.update,
            distance=distance,
        )
    about = {
        "experiment": config.name,
        "model": config.model.family,
        "use_obs": getattr(config.model, "use_obs", None),
        "checkpoint": checkpoint,
        "checkpoint_step": step,
        "dataset": config.data.dataset,
        "datadir": config.data.datadir,
        "split": _SPLIT,
        "data_seed": config.seed,
        "clips_in_split": split.num_windows,
        "videos_left_out": [str(name) for name in split.skipped],
        "batch_size": wanted.batch_size,
    }
    fvd = None
    if distance is not None:
        height, width, channels = result.frame_shape
        fvd = distance.record({"height": height, "width": width, "channels": channels})
    page = write_report(result, folder, about, gallery=not arguments.no_save_grid, fvd=fvd)
    _print_summary(result)
    if fvd is not None:
        print(f"{fvd['metric']}: {fvd['value']:.3f}")
    print(f"report: {page}")
    return 0


def _prediction_distance(config: ExperimentConfig, num_clips: int) -> Any:
    """What gathers FVD, if its weights are named; reads them before any frame is predicted."""
    settings = config.evaluation
    if settings.fvd_weights is None:
        return None
    from hvp.distances.i3d import I3D
    from hvp.distances.of_predictions import PredictionDistance

    if num_clips < 2:
        raise UserError(f"FVD (--fvd-weights) needs at least 2 contexts, {_SPLIT} has {num_clips}")
    horizon = settings.seq_len - settings.context
    network = I3D(settings.fvd_weights)
    return PredictionDistance(network, settings.context, horizon, settings.fvd_context)


def _find_lpips(weights_dir: str | None, metrics: list[str]) -> None:
    """Looks for the weights before the model is built and any frame is predicted."""
    from hvp.metrics.lpips_weights import weights_folder

    try:
        weights_folder("lpips_alex", weights_dir)
    except UserError as error:
        others = ",".join(metric for metric in metrics if metric != "lpips") or "mse,psnr,ssim"
        raise UserError(f"{error}; without LPIPS: --metrics {others}") from None


def with_interval(curve: Curve, digits: int) -> str:
    """`mean ± half width`, or the mean alone where a single context leaves no interval."""
    mean = f"{curve.overall:.{digits}f}"
    if math.isnan(curve.overall_interval):
        return mean
    return f"{mean} ± {curve.overall_interval:.{digits}f}"


def _print_summary(result: Any) -> None:
    samples = result.settings.num_samples
    kinds = {"mean": "model", "copy_last": "copy last frame"}
    if samples > 1:
        kinds = {"best": f"best of {samples}", "mean": "mean", "copy_last": "copy last frame"}
    print(f"{'':12}" + "".join(f"{label:>24}" for label in kinds.values()))
    for name, curves in result.curves.items():
        digits = METRICS[name].decimals
        cells = (with_interval(curves[kind], digits) for kind in kinds)
        print(f"{METRICS[name].label:12}" + "".join(f"{cell:>24}" for cell in cells))
