"""`hvp law`: sampled futures of forking shapes against their exact law."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hvp.commands.options import (
    add_count,
    add_experiment,
    add_out,
    add_seed,
    logdirs_of,
    open_experiment,
    progress_bar,
    seed_of,
)
from hvp.errors import UserError

HELP = (
    "Reads the branch that each sampled future of forking_shapes takes, and compares how often "
    "with the exact law: total variation, calibration, modes, the rare branch, and how long a "
    "sample stays a possible video. An oracle and simple baselines stand beside."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_experiment(parser, several=True)
    add_count(parser, "--num-examples", "contexts", default=100)
    add_count(parser, "--num-samples", "futures of each", default=100)
    add_seed(parser, "of the samples")
    add_out(parser, "folder (EXPERIMENT/law, of the first one)")


def run(arguments: argparse.Namespace) -> None:
    """Reads experiments that are there."""
    from hvp.experiment.folder import require_predictor

    experiments = [
        open_experiment(arguments, require_predictor, logdir=logdir)
        for logdir in logdirs_of(arguments)
    ]
    first = experiments[0]
    for other in experiments[1:]:
        if (other.config.data, other.config.evaluation) != (
            first.config.data,
            first.config.evaluation,
        ):
            raise UserError(
                f"{other.folder}: has other data or evaluation settings than {first.folder}; they "
                "must agree"
            )
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.evaluation.forking.evaluate import LawSettings, evaluate_law
    from hvp.evaluation.forking.report import law_table, write_law

    models: dict[str, Any] = {}
    for experiment in experiments:
        name = experiment.config.name
        models[str(experiment.folder) if name in models else name], _ = experiment.load()
    settings = LawSettings(
        arguments.num_examples, arguments.num_samples, seed_of(arguments, first.config)
    )
    with progress_bar(settings.num_examples, "context") as progress:
        result = evaluate_law(first.config, models, settings, lambda: progress.update(1))
    folder = Path(arguments.out or first.results / "law")
    write_law(result, folder)
    print(law_table(result), end="")
    print(f"read wrongly: {result['read_out_error']:.1%} of the law's own samples")
    print(f"figure: {folder / 'law.png'}")
