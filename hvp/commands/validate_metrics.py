"""`python -m hvp validate-metrics`: its command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from hvp.errors import UserError

BLUR = 1.0  # pixels, of --against blur


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("--logdir", required=True, help="an experiment, logs/NAME")
    parser.add_argument(
        "--against",
        default="blur",
        help="another experiment on the same data, or copy-last, or blur (the first prediction, "
        "blurred by one pixel; the default)",
    )
    parser.add_argument("--datadir", help="overrides data.datadir")
    parser.add_argument("--num-examples", type=int, default=50, help="contexts (50)")
    parser.add_argument("--checkpoint", default="latest", help="latest, best or a step")
    parser.add_argument("--out", help="folder (EXPERIMENT/metric_validation)")


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.data.dataset import VideoSplit
    from hvp.evaluation.metric_agreement import blurred, compare, copy_last, write_page
    from hvp.experiment.checkpoints import load_experiment
    from hvp.experiment.folder import find_run_folder, require_predictor

    if arguments.num_examples < 1:
        raise UserError(f"--num-examples must be at least 1, found {arguments.num_examples}")
    overrides = []
    if arguments.datadir is not None:
        import json

        overrides.append(f"data.datadir={json.dumps(arguments.datadir)}")
    folder = find_run_folder(arguments.logdir)
    config, model, step = load_experiment(folder, arguments.checkpoint, overrides)
    require_predictor(folder, config)

    def rollout_of(model):
        return lambda context, horizon: model.rollout(context, horizon, seed=config.seed)[0]

    first = rollout_of(model)
    if arguments.against == "blur":
        second, other = blurred(first, BLUR), f"{config.name}, blurred"
    elif arguments.against == "copy-last":
        second, other = copy_last, "copy last frame"
    else:
        other_config, other_model, _ = load_experiment(arguments.against, "latest", overrides)
        require_predictor(Path(arguments.against), other_config)
        sizes = [(c.data.height, c.data.width, c.data.channels) for c in (config, other_config)]
        if sizes[0] != sizes[1]:
            raise UserError(
                f"--against {arguments.against}: works on frames of {sizes[1]}, {folder} on "
                f"{sizes[0]}; compare experiments on the same data"
            )
        second, other = rollout_of(other_model), other_config.name
        other = other if other != config.name else f"{other} ({arguments.against})"
    settings = config.evaluation
    split = VideoSplit(
        config.data,
        "test",
        seq_len=settings.seq_len,
        seed=config.seed,
        unusable_videos=settings.unusable_videos,
    )
    comparisons = compare(
        first,
        second,
        split.evaluation_batches(settings.batch_size, limit=arguments.num_examples),
        settings.context,
        settings.seq_len - settings.context,
    )
    about = {
        "experiment": str(folder),
        "step": step,
        "dataset": config.data.dataset,
        "context": settings.context,
        "horizon": settings.seq_len - settings.context,
        "num_contexts": len(comparisons),
        "seed": config.seed,
    }
    out = Path(arguments.out) if arguments.out else folder / "metric_validation"
    page = write_page(comparisons, (config.name, other), settings.context, out, about)
    print(f"{len(comparisons)} contexts compared: {page}")
