"""`python -m hvp recursion` and `python -m hvp ablate-fusion`: their command lines."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from hvp.commands.options import add_overrides
from hvp.errors import UserError

# Variant -> what differs from the configuration.
ABLATION: dict[str, dict[str, Any]] = {
    "full": {},
    "without_fusion": {"fusion": False},
    "without_accompanying": {"accompanying": False},
}


def add_recursion_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `recursion`."""
    parser.add_argument(
        "--logdir", required=True, nargs="+", help="one or more experiments on the same data"
    )
    parser.add_argument("--checkpoint", default="latest", help="latest, best or a step")
    parser.add_argument("--out", help="folder (EXPERIMENT/recursion, of the first one)")
    _add_shared_arguments(parser)


def add_ablation_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `ablate-fusion`."""
    parser.add_argument("--config", default="configs/fusion_demo.yml", help="(%(default)s)")
    parser.add_argument(
        "--logdir", default="logs/ablation", help="runs and figure go here (%(default)s)"
    )
    add_overrides(parser)
    _add_shared_arguments(parser)


def _add_shared_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--context", type=int, default=16, help="frames shown to the model (%(default)s)")
    add("--horizon", type=int, default=32, help="frames generated (%(default)s)")
    add("--first", type=int, default=16, help="generated frame that curves start at (%(default)s)")
    add("--spectral-frames", type=int, default=4, help="whose spectra are compared (%(default)s)")
    add("--num-examples", type=int, default=64, help="contexts (%(default)s)")


def run_recursion(arguments: argparse.Namespace) -> None:
    """Evaluates experiments that are there."""
    recursion = _recursion(arguments)
    from hvp.experiment.folder import find_run_folder

    folders = [find_run_folder(path) for path in arguments.logdir]
    out = Path(arguments.out) if arguments.out else folders[0] / "recursion"
    _compare(folders, arguments.checkpoint, recursion, out)


def run_ablation(arguments: argparse.Namespace) -> None:
    """Trains the variants one after the other, or goes on with them, then compares them."""
    recursion = _recursion(arguments)
    from hvp.config import load_config

    config = load_config(arguments.config, arguments.overrides)
    if config.model.family != "fusion":
        raise UserError(
            f"{arguments.config}: model.family is {config.model.family!r}; the ablation is of "
            "fusion models"
        )
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.training.trainer import train

    folders = []
    for variant, changes in ABLATION.items():
        changed = dataclasses.replace(config.replace("model", **changes), name=variant)
        folders.append(train(changed, arguments.logdir))
    _compare(folders, "latest", recursion, Path(arguments.logdir) / "comparison")


def _recursion(arguments: argparse.Namespace) -> Any:
    for name in ("context", "horizon", "first", "num_examples", "spectral_frames"):
        if getattr(arguments, name) < 1:
            flag = "--" + name.replace("_", "-")
            raise UserError(f"{flag} must be at least 1, found {getattr(arguments, name)}")
    if arguments.first > arguments.horizon:
        raise UserError(
            f"--first is {arguments.first}, past the last generated frame, {arguments.horizon}"
        )
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.evaluation.recursion import Recursion

    return Recursion(
        arguments.context,
        arguments.horizon,
        arguments.first,
        arguments.num_examples,
        arguments.spectral_frames,
    )


def _compare(folders: list[Path], checkpoint: str, recursion: Any, out: Path) -> None:
    from hvp.evaluation.recursion import evaluate_recursion, write_comparison
    from hvp.experiment.checkpoints import load_experiment

    results, data = {}, None
    for folder in folders:
        config, model, _ = load_experiment(folder, checkpoint)
        if data not in (None, config.data):
            raise UserError(f"{folder}: has other data settings than {folders[0]}; they must agree")
        data = config.data
        name = config.name if config.name not in results else str(folder)
        results[name] = evaluate_recursion(config, model, recursion)
    figure, summary = write_comparison(results, recursion, out)
    print(f"generated frames {recursion.first} to {recursion.horizon}:")
    frames = min(recursion.spectral_frames, recursion.horizon)
    energy = f"high-frequency energy of frames 1 to {frames} over the truth's"
    print(f"{'':24}{'PSNR (dB)':>10}{'SSIM':>8}{'MSE':>9}   {energy}")
    rows = [(n, e, "mean") for n, e in summary["experiments"].items()]
    rows.append(("copy last frame", rows[0][1], "copy_last"))
    for name, scores, kind in rows:
        share = f"{scores['high_frequency_share_of_truth']:.2f}" if kind == "mean" else ""
        print(
            f"{name:24}{scores['psnr'][kind]:10.2f}{scores['ssim'][kind]:8.3f}"
            f"{scores['mse'][kind]:9.4f}   {share}"
        )
    print(f"figure: {figure}")
