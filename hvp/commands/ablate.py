"""`hvp ablate`: variants of one experiment, trained one after the other and compared."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hvp.commands.options import add_new_runs, add_overrides, add_which, overrides_of
from hvp.commands.parser import words
from hvp.errors import UserError

if TYPE_CHECKING:
    from hvp.config import ExperimentConfig

HELP = (
    "Trains the variants of an ablation one after the other, or goes on with them, scores them on "
    "the same test videos, and compares them in one page, with curves, confidence intervals and "
    "differences from the first variant. What is finished is not done again."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    text = "a file, or the name of an ablation that comes with hvp, such as dfdnet_demo"
    parser.add_argument("--config", required=True, help=text)
    add_new_runs(parser, default="logs/ablations")
    add_overrides(parser, of="all variants' configurations")
    add_which(parser, doing="to compare: ")
    text = "these variants only, and the first; several machines can share the work"
    parser.add_argument("--only", type=words, metavar="A,B", help=text)


def run(arguments: argparse.Namespace) -> int:
    """Trains, scores, writes the page and prints the table."""
    from hvp.config.ablation import load_ablation

    ablation = load_ablation(arguments.config, overrides_of(arguments))
    names = _chosen(arguments.only, list(ablation.variants))
    configs = {name: ablation.variants[name] for name in names}
    find_lpips(configs[names[0]])

    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.evaluation.comparison_report import write_comparison
    from hvp.evaluation.comparison_run import run_comparison
    from hvp.training.trainer import Interrupted, train

    folder = Path(arguments.logdir) / ablation.name
    try:
        outcomes = run_comparison(configs, folder, train, arguments.checkpoint)
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return interrupted.exit_code
    page = write_comparison(outcomes, folder / "comparison", ablation.question, ablation.changes)
    print((page.parent / "comparison.md").read_text(encoding="utf-8"), end="")
    print(f"page: {page}")
    failed = [outcome.name for outcome in outcomes if outcome.scores is None]
    if failed:
        raise UserError(f"{', '.join(failed)}: not trained, see above; the page has the others")
    return 0


def find_lpips(config: ExperimentConfig) -> None:
    """Looks for LPIPS' weights, where they are needed, before anything is trained."""
    from hvp.families import FAMILIES
    from hvp.metrics.lpips_weights import weights_folder

    if "lpips" not in config.evaluation.metrics or FAMILIES[config.model.family].generates:
        return
    try:
        weights_folder("lpips_alex", None)
    except UserError as error:
        raise UserError(f"{error}; without LPIPS: --set evaluation.metrics=[mse,ssim]") from None


def _chosen(only: list[str] | None, names: list[str]) -> list[str]:
    """The variants that are asked for, in their order, the first among them."""
    for name in only or []:
        if name not in names:
            raise UserError(f"--only {name}: no such variant; valid: {', '.join(names)}")
    return [name for name in names if only is None or name in only or name == names[0]]
