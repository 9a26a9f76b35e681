"""Families on the same data and protocol: trained for a stated budget, scored, ranked."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hvp.config import ExperimentConfig
from hvp.config.benchmark import Benchmark
from hvp.data.video_split import evaluation_split
from hvp.errors import UserError
from hvp.evaluation.comparison_report import write_comparison
from hvp.evaluation.comparison_run import Outcome, Train, run_comparison
from hvp.evaluation.forking.evaluate import LawSettings, evaluate_law
from hvp.evaluation.forking.report import write_law
from hvp.evaluation.generated_motion import FRECHET
from hvp.experiment.checkpoints import load_experiment
from hvp.experiment.choosing import choose_checkpoint
from hvp.files import file_sha256, replacing
from hvp.provenance import commit

TIME_FILE = "training_time.json"
STEM = "benchmark"


def run_benchmark(
    benchmark: Benchmark,
    logdir: Path,
    train: Train,
    command: str,
    checkpoint: str = "latest",
    report: Callable[[str], None] = print,
) -> Path:
    """Trains what is missing, scores all, and writes benchmark.html, .md, .csv and .json.

    Args:
        benchmark: of `load_benchmark`.
        logdir: runs are `logdir/NAME`; the table is in `logdir/benchmark`.
        train: `hvp.training.trainer.train`.
        command: that stands in the record.
        checkpoint: `latest` or `best`: which one of each is scored.

    Returns:
        The page's path. A model added later leaves the others' results as they are.

    Raises:
        UserError: as `run_comparison`; and for test videos that are not the reported ones.
    """
    experiments = benchmark.experiments
    check_test_videos(benchmark)
    outcomes = run_comparison(experiments, logdir, _timed(train), checkpoint, report)
    outcomes = [_with_facts(outcome, logdir) for outcome in ranked(outcomes)]
    about = {
        name: {
            "base": benchmark.bases[name],
            "family": config.model.family,
            "steps": config.training.steps,
            "seed": config.seed,
            "sha256": _checksum(logdir / name, checkpoint),
        }
        for name, config in experiments.items()
    }
    folder = logdir / STEM
    made_by = {"command": command, "commit": commit()}
    page = write_comparison(
        outcomes, folder, benchmark.question, about, STEM, benchmark.reported, made_by
    )
    if benchmark.law:
        _read_law(benchmark, outcomes, logdir, checkpoint, folder / "law", report)
    return page


def check_test_videos(benchmark: Benchmark) -> None:
    """Raises a `UserError` unless the test videos are those that rows were reported on."""
    config = next(iter(benchmark.experiments.values()))
    if not (benchmark.reported and benchmark.measured_on):
        return
    videos = [name for name, _ in evaluation_split(config).videos]
    strange = [name for name in videos if not name.startswith(benchmark.measured_on)]
    if strange:
        raise UserError(
            f"{config.source}: was reported on {benchmark.measured_on}, the test split of "
            f"data.datadir {config.data.datadir} has {strange[0]}; numbers on other videos do not "
            f"compare: put {benchmark.measured_on} there alone, or remove the rows under reported"
        )


def ranked(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The best first, by the first measure or a generator's distance; those that failed last."""

    def key(outcome: Outcome) -> float:
        if outcome.scores is None:
            return math.inf
        distance = outcome.scores.facts.get(FRECHET)
        if distance is not None:
            return distance
        measure = next(iter(outcome.scores.measures.values()))
        mean = sum(measure.values) / len(measure.values)
        if measure.higher_is_better is None:  # what is nearest to the reference is best
            return abs(mean - sum(measure.reference) / len(measure.reference))
        return -mean if measure.higher_is_better else mean

    return sorted(outcomes, key=key)


def _timed(train: Train) -> Train:
    """`train`, which adds up the time of all its sessions beside the run.

    On a machine that does other work as well, only the processors' time says what it cost.
    """

    def timed(config: ExperimentConfig, logdir: Path) -> Path:
        clocks = {"minutes": time.monotonic, "cpu_minutes": time.process_time}
        start = {name: clock() for name, clock in clocks.items()}
        try:
            return train(config, logdir)
        finally:
            folder = logdir / config.name
            spent = _time_spent(folder)
            for name, clock in clocks.items():
                spent[name] += (clock() - start[name]) / 60
            if folder.is_dir():
                with replacing(folder / TIME_FILE) as temporary:
                    temporary.write_text(json.dumps(spent))

    return timed


def _time_spent(folder: Path) -> dict[str, float]:
    """Minutes of training, on the clock and of the processors."""
    spent = {"minutes": 0.0, "cpu_minutes": 0.0}
    try:
        stored = json.loads((folder / TIME_FILE).read_text())
        return {name: float(stored.get(name, 0.0)) for name in spent}
    except (OSError, ValueError, AttributeError, TypeError):
        return spent


def _with_facts(outcome: Outcome, logdir: Path) -> Outcome:
    if outcome.scores is None:
        return outcome
    spent = _time_spent(logdir / outcome.name)
    facts = {
        **outcome.scores.facts,
        "million parameters": outcome.parameters / 1e6,
        "training (minutes)": spent["minutes"],
        "training (CPU minutes)": spent["cpu_minutes"],
    }
    return dataclasses.replace(outcome, scores=dataclasses.replace(outcome.scores, facts=facts))


def _checksum(folder: Path, checkpoint: str) -> str:
    """Of the weights that were scored; empty where there are none."""
    try:
        files, step = choose_checkpoint(folder, checkpoint)
    except UserError:
        return ""
    return file_sha256(Path(f"{files.prefix(step)}.data-00000-of-00001"))


def _read_law(
    benchmark: Benchmark,
    outcomes: Sequence[Outcome],
    logdir: Path,
    checkpoint: str,
    folder: Path,
    report: Callable[[str], None],
) -> None:
    """Reads all models' samples against the law, in the table's order."""
    names = [outcome.name for outcome in outcomes if outcome.scores is not None]
    models: dict[str, Any] = {}
    for name in names:
        _, models[name], _ = load_experiment(logdir / name, checkpoint)
    config = benchmark.experiments[names[0]]
    report(f"reading {len(names)} models' samples against the law")
    settings = LawSettings(num_examples=config.evaluation.num_examples, seed=config.seed)
    write_law(evaluate_law(config, models, settings), folder)
