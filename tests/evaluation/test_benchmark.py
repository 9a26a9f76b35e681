"""Benchmarks: resolved from their file, trained once, ranked, and beside them what was reported."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from run_files import eager_functions, quiet_train

from hvp.config.benchmark import load_benchmark
from hvp.config_files import packaged_configs
from hvp.errors import UserError
from hvp.evaluation.benchmark import check_test_videos, ranked, run_benchmark
from hvp.evaluation.comparison_run import Outcome, check_comparable
from hvp.evaluation.generated_motion import FRECHET
from hvp.evaluation.scores import Measure, Scores

BENCHMARK = """\
question: Which is better?
law: true
settings:
  data: {dataset: forking_shapes, datadir: null, height: 16, width: 16, seq_len: 20, test_videos: 3,
         train_videos: 8, validation_share: 0.0}
  training: {batch_size: 2, gifs_every: 0, validate_every: 0}
  evaluation: {context: 10, seq_len: 20, num_examples: 3, num_samples: 1, metrics: [mse, mae]}
models:
  small:
    base: convlstm_demo
    model: {context: 10, hidden: [4], patch_size: 4}
    training: {steps: 1}
  longer:
    base: convlstm_demo
    model: {context: 10, hidden: [8], patch_size: 4}
    training: {steps: 2}
reported:
  - model: theirs
    source: a paper
    protocol: {data.dataset: forking_shapes, evaluation.context: 10}
    values: {mse: 0.5}
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "small.yml").write_text(BENCHMARK)
    return tmp_path / "small.yml"


@pytest.mark.parametrize("file", sorted((packaged_configs() / "benchmarks").glob("*.yml")))
def test_the_shipped_ones_are_resolved(file):
    benchmark = load_benchmark(file.stem)
    assert len(benchmark.experiments) > 1
    assert all(name == config.name for name, config in benchmark.experiments.items())
    check_comparable(benchmark.experiments)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    base: convlstm_demo\n    model: {context: 10, hidden: [4]", "    model: {hidden: [4]",
         "models.small: must name the configuration"),
        ("context: 10}\n", "context: 5}\n", "theirs: was reported with evaluation.context 5"),
        ("data.dataset: forking", "data.datasett: forking", "unknown key 'data.datasett'"),
        ("    source: a paper\n", "", "a row has model, source, protocol, values"),
        ("law: true", "laws: true", "unknown key 'laws'"),
        ("  small:", "  ..:", "models: a name"),
    ],
)  # fmt: skip
def test_mistakes(path, old, new, message):
    assert BENCHMARK.count(old) == 1
    path.write_text(BENCHMARK.replace(old, new))
    with pytest.raises(UserError, match=message) as caught:
        load_benchmark(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "override"),
    [
        ("moving_mnist_published", "data.datadir=null"),
        ("moving_mnist_published", "evaluation.protocol=default"),
        ("moving_mnist_published", "evaluation.num_examples=100"),
        ("moving_mnist_published", "data.num_digits=3"),
        ("kth_published", "data.division=hierarchical"),
        ("kth_published", "evaluation.seq_len=50"),
        ("kth_published", "evaluation.windows=spread"),
    ],
)
def test_reported_numbers_are_refused_beside_another_protocol(name, override):
    reported = load_benchmark(name, ["data.datadir=/somewhere/else"]).reported
    assert {row["model"] for row in reported} >= {"SimVP with gSTA", "TAU", "ConvLSTM-S", "PredRNN"}
    assert all("video_benchmarks.md" in row["source"] for row in reported)
    with pytest.raises(
        UserError, match=rf"was reported with {override.partition('=')[0]} "
    ) as caught:
        load_benchmark(name, [override])
    assert str(caught.value).endswith("numbers of other protocols do not compare")


def test_reported_numbers_are_refused_beside_other_test_videos(tmp_path):
    """A folder with digits alone gives test videos too, which are generated."""
    header = np.array([0x803, 12, 28, 28], ">u4").tobytes()
    (tmp_path / "train-images-idx3-ubyte").write_bytes(header + bytes(12 * 28 * 28))
    benchmark = load_benchmark("moving_mnist_published", [f"data.datadir={tmp_path}"])
    with pytest.raises(UserError, match=r"reported on mnist_test_seq.npy, .*numbers on other"):
        run_benchmark(benchmark, tmp_path, quiet_train, "hvp benchmark", report=lambda _: None)
    np.save(tmp_path / "mnist_test_seq.npy", np.zeros((20, 3, 64, 64), np.uint8))
    check_test_videos(benchmark)


def test_generators_are_ranked_by_their_distance():
    """Not by how near to real videos one of their measures happens to be."""
    near, far = np.array([0.5]), np.array([0.3])
    change = Measure("change", None, 4, "time", near, near, near, near, near)
    outcomes = [
        Outcome(name, Scores("real", ["a"], {"change": measure}, {FRECHET: distance}, "", None))
        for name, measure, distance in (
            ("noise", change, 9.0),
            ("shapes", dataclasses.replace(change, values=far), 1.0),
        )
    ] + [Outcome("failed", None)]
    assert [outcome.name for outcome in ranked(outcomes)] == ["shapes", "noise", "failed"]


def test_what_is_finished_is_not_done_again(path, tmp_path):
    benchmark, trained = load_benchmark(path), []

    def train(config, logdir):
        trained.append(config.name)
        return quiet_train(config, logdir)

    for _ in range(2):
        with eager_functions():
            page = run_benchmark(benchmark, tmp_path, train, "hvp benchmark", report=lambda _: None)
    assert trained == ["small", "longer"]
    record = json.loads(page.with_suffix(".json").read_text())
    means = {name: row["results"]["mse"]["mean"] for name, row in record["experiments"].items()}
    assert record["baseline"] == min(means, key=means.get)
    assert all(len(row["changes"]["sha256"]) == 64 for row in record["experiments"].values())
    assert record["command"] == "hvp benchmark"
    table = page.with_suffix(".md").read_text()
    assert "theirs, reported: a paper | 0.5" in table
    assert "training (minutes)" in table
    assert "training (CPU minutes)" in table
    # A deterministic model's CRPS is its mean absolute error, and the table says so.
    for row in record["experiments"].values():
        assert row["results"]["crps"]["mean"] == pytest.approx(row["results"]["mae"]["mean"], 1e-5)
        assert row["facts"]["GFLOP a frame"] > 0
        assert row["facts"]["frames a second"] > 0
        assert row["facts"]["spread / skill (1: honest)"] is None
    assert "CRPS, samples" in table
    assert "are its mean absolute and root mean squared error" in table
    assert all(row["changes"]["sha256"] in table for row in record["experiments"].values())
    assert "command `hvp benchmark`" in table
    assert "theirs, reported: a paper" in page.read_text()
    assert "Made by command <code>hvp benchmark</code>" in page.read_text()
    assert page.read_text().count('<th class="number">GFLOP a frame</th>') == 1
    law = json.loads((page.parent / "law/law.json").read_text())
    assert {"small", "longer", "oracle"} <= set(law["forecasts"])
