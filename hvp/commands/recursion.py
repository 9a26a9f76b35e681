"""`hvp recursion`: experiments compared on long recursive predictions."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvp.commands.options import (
    Experiment,
    add_count,
    add_experiment,
    add_out,
    logdirs_of,
    open_experiment,
    progress_bar,
)
from hvp.errors import UserError

if TYPE_CHECKING:
    from hvp.evaluation.recursion import Recursion

HELP = (
    "Compares predictors on the same test videos, far beyond the frames that they were trained "
    "on: PSNR, SSIM, MSE and how much of the truth's sharpness is left."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_experiment(parser, several=True)
    add_out(parser, "folder (EXPERIMENT/recursion, of the first one)")
    add_recursion(parser)


def add_recursion(parser: argparse.ArgumentParser) -> None:
    """Declares what is predicted and compared; `read_recursion` reads it."""
    add_count(parser, "--context", "frames shown to the model", default=16)
    add_count(parser, "--horizon", "frames generated", default=32)
    add_count(parser, "--first", "generated frame that curves and means start at", default=1)
    add_count(parser, "--spectral-frames", "whose spectra are compared", default=4)
    add_count(parser, "--num-examples", "contexts", default=64)


def check_recursion(arguments: argparse.Namespace) -> None:
    """Raises a `UserError` if the curves would start past their end."""
    if arguments.first > arguments.horizon:
        raise UserError(
            f"--first is {arguments.first}, past the last generated frame, {arguments.horizon}"
        )


def run(arguments: argparse.Namespace) -> None:
    """Evaluates experiments that are there."""
    from hvp.experiment.folder import require_predictor

    check_recursion(arguments)
    experiments = [
        open_experiment(arguments, require_predictor, logdir=logdir)
        for logdir in logdirs_of(arguments)
    ]
    compare(experiments, arguments, Path(arguments.out or experiments[0].results / "recursion"))


def compare(experiments: Sequence[Experiment], arguments: argparse.Namespace, out: Path) -> None:
    """Predicts with each experiment, writes the comparison into `out` and prints it."""
    for other in experiments[1:]:
        if other.config.data != experiments[0].config.data:
            raise UserError(
                f"{other.folder}: has other data settings than {experiments[0].folder}; they must "
                "agree"
            )
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.evaluation import recursion as recursions

    recursion = recursions.Recursion(
        arguments.context,
        arguments.horizon,
        arguments.first,
        arguments.num_examples,
        arguments.spectral_frames,
    )
    results: dict[str, Any] = {}
    pictures: dict[str, Any] = {}
    for experiment in experiments:
        model, _ = experiment.load()
        name = experiment.config.name
        name = str(experiment.folder) if name in results else name
        with progress_bar(2 * arguments.num_examples, "context") as progress:
            results[name] = recursions.evaluate_recursion(
                experiment.config, model, recursion, progress.update
            )
        of_pictures = recursions.evaluate_pictures(experiment.config, model, recursion)
        if of_pictures is not None:
            pictures[name] = of_pictures
    figure, summary = recursions.write_comparison(results, recursion, out, pictures)
    _print(summary, recursion)
    print(f"figure: {figure}")


def _print(summary: Mapping[str, Any], recursion: Recursion) -> None:
    print(f"generated frames {recursion.first} to {recursion.horizon}:")
    frames = min(recursion.spectral_frames, recursion.horizon)
    energy = f"high-frequency energy of frames 1 to {frames} over the truth's"
    print(f"{'':24}{'PSNR (dB)':>10}{'SSIM':>8}{'MSE':>9}   {energy}")
    rows = [(name, scores, "mean") for name, scores in summary["experiments"].items()]
    rows.append(("copy last frame", rows[0][1], "copy_last"))
    for name, scores, kind in rows:
        share = f"{scores['high_frequency_share_of_truth']:.2f}" if kind == "mean" else ""
        print(
            f"{name:24}{scores['psnr'][kind]:10.2f}{scores['ssim'][kind]:8.3f}"
            f"{scores['mse'][kind]:9.4f}   {share}"
        )
