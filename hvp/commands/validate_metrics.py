"""`hvp validate-metrics`: where traditional and frequency metrics disagree."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvp.commands.options import (
    Experiment,
    add_count,
    add_experiment,
    add_out,
    open_experiment,
    watched,
)
from hvp.errors import UserError

if TYPE_CHECKING:
    from hvp.config import ExperimentConfig
    from hvp.evaluation.metric_agreement import Rollout
    from hvp.models.base import VideoModel

HELP = (
    "Judges two predictions of the same test videos by MSE, PSNR and SSIM and by the frequency "
    "losses, and shows the contexts on which these metrics disagree most."
)
BLUR = 1.0  # pixels, of --against blur


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_experiment(parser)
    parser.add_argument(
        "--against",
        default="blur",
        help="another experiment on the same data, or copy-last, or blur (the first prediction, "
        "blurred by one pixel; the default)",
    )
    add_count(parser, "--num-examples", "contexts", default=50)
    add_out(parser, "folder (EXPERIMENT/metric_validation)")


def run(arguments: argparse.Namespace) -> None:
    """Writes the page and says where it is."""
    from hvp.experiment.folder import require_predictor

    experiment = open_experiment(arguments, require_predictor)
    other = _other_experiment(arguments.against, experiment)
    model, step = experiment.load()
    first = _rollout_of(model, experiment.config)
    second, name = _second_prediction(arguments.against, experiment, first, other)

    from hvp.data.video_split import evaluation_split
    from hvp.evaluation.metric_agreement import compare, write_page

    config, settings = experiment.config, experiment.config.evaluation
    horizon = settings.seq_len - settings.context
    split = evaluation_split(config)
    windows = split.choose_windows(arguments.num_examples, settings.windows)
    batches = split.evaluation_batches(settings.batch_size, windows=windows)
    batches = watched(batches, -(-len(windows) // settings.batch_size), "batch")
    comparisons = compare(first, second, batches, settings.context, horizon)
    about = _about(experiment, step) | {"num_contexts": len(comparisons)}
    out = Path(arguments.out or experiment.results / "metric_validation")
    page = write_page(comparisons, (config.name, name), settings.context, out, about)
    print(f"{len(comparisons)} contexts compared: {page}")


def _other_experiment(against: str, experiment: Experiment) -> Experiment | None:
    """The experiment that `--against` names, if it names one; its latest checkpoint."""
    if against in ("blur", "copy-last"):
        return None
    from hvp.config import load_config
    from hvp.experiment.folder import CONFIG_FILE, find_run_folder, require_predictor

    folder = find_run_folder(against)
    config = load_config(folder / CONFIG_FILE)
    require_predictor(folder, config)
    sizes = [(c.data.height, c.data.width, c.data.channels) for c in (experiment.config, config)]
    if sizes[0] != sizes[1]:
        raise UserError(
            f"--against {against}: works on frames of {sizes[1]}, {experiment.folder} on "
            f"{sizes[0]}; compare experiments on the same data"
        )
    return Experiment(folder, config, "latest", ())


def _second_prediction(
    against: str, experiment: Experiment, first: Rollout, other: Experiment | None
) -> tuple[Rollout, str]:
    """The prediction that the first one is compared with, and its name."""
    from hvp.evaluation.metric_agreement import blurred, copy_last

    name = experiment.config.name
    if other is not None:
        model, _ = other.load()
        same = other.config.name == name
        label = f"{name} ({against})" if same else other.config.name
        return _rollout_of(model, experiment.config), label
    if against == "blur":
        return blurred(first, BLUR), f"{name}, blurred"
    return copy_last, "copy last frame"


def _rollout_of(model: VideoModel, config: ExperimentConfig) -> Rollout:
    return lambda context, horizon: model.rollout(context, horizon, seed=config.seed)[0]


def _about(experiment: Experiment, step: int) -> dict[str, Any]:
    config, settings = experiment.config, experiment.config.evaluation
    return {
        "experiment": str(experiment.folder),
        "step": step,
        "dataset": config.data.dataset,
        "context": settings.context,
        "horizon": settings.seq_len - settings.context,
        "seed": config.seed,
    }
