"""Evaluation of a real, untrained experiment: checkpoint, generated digits, report."""

import json

import pytest
import yaml
from run_files import events

import hvp
from hvp.__main__ import main
from hvp.experiment.checkpoints import save_experiment

CONFIG = {
    "name": "tiny",
    "seed": 5,
    "data": {"dataset": "moving_mnist", "height": 32, "width": 32, "seq_len": 8, "test_videos": 3},
    "model": {
        "levels": 2,
        "tmp_abs_factor": 2,
        "enc_dense_layers": 1,
        "enc_dense_embed_size": 8,
        "cell_stoch_size": 4,
        "cell_deter_size": 8,
        "cell_embed_size": 8,
        "channels_mult": 0.125,
    },
    "evaluation": {
        "context": 4,
        "seq_len": 8,
        "num_samples": 6,
        "batch_size": 2,
        "metrics": ["mse", "psnr"],
    },
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    (folder / "tiny.yml").write_text(yaml.safe_dump(CONFIG))
    config = hvp.load_config(folder / "tiny.yml")
    model = hvp.build_model(config)
    model.configure_training(config.training)
    return save_experiment(config, model, folder / "logs", step=12)


def evaluated(run, *flags):
    before = set(run.glob("eval_*"))
    assert main(["evaluate", "--logdir", str(run / "model"), "--no-save-grid", *flags]) == 0
    (folder,) = set(run.glob("eval_*")) - before
    return json.loads((folder / "metrics.json").read_text())


@pytest.mark.slow
def test_results_depend_on_the_seed_and_not_on_the_batch_size(run):
    first = evaluated(run)
    assert first["protocol"]["checkpoint_step"] == 12
    assert first["protocol"]["num_contexts"] == 3
    again = evaluated(run, "--batch-size", "3")
    other = evaluated(run, "--seed", "6")
    for metric in ("mse", "psnr"):
        one, two, three = (report["summary"][metric] for report in (first, again, other))
        for kind in one:
            assert two[kind]["mean"] == pytest.approx(one[kind]["mean"], rel=1e-4)
        assert three["mean_over_samples"]["mean"] != one["mean_over_samples"]["mean"]
        # the same videos: --seed is of the samples
        assert three["copy_last_frame"]["mean"] == one["copy_last_frame"]["mean"]

    cards = [report["scorecard"]["scores"] for report in (first, again)]
    for name, score in cards[0].items():
        for part, value in score["summary"].items():
            assert cards[1][name]["summary"][part]["mean"] == pytest.approx(value["mean"], rel=1e-3)
    folder = sorted(run.glob("eval_*"))[-1]
    scalars = {tag: value for step, tag, value in events(folder) if step == 12}
    found = other["scorecard"]["scores"]["spread_skill"]["summary"]["ratio"]["mean"]
    assert scalars["scorecard/spread_skill"] == pytest.approx(found)


@pytest.mark.slow
def test_levels_that_see_no_context_and_longer_horizons(run):
    blind = evaluated(run, "--use-obs", "FF", "--eval-seq-len", "13", "--num-samples", "1")
    seeing = evaluated(run, "--use-obs", "TT", "--eval-seq-len", "13", "--num-samples", "1")
    assert blind["protocol"]["horizon"] == 9
    assert blind["summary"]["mse"] != seeing["summary"]["mse"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--set model.cell_deter_size=9", "this checkpoint belongs to another configuration"),
        ("--checkpoint 99", "no checkpoint '99'; kept: 12"),
        ("--datadir /nowhere", "/nowhere"),
    ],
)
def test_mistakes(run, capsys, flags, message):
    before = set(run.glob("eval_*"))
    assert main(["evaluate", "--logdir", str(run), *flags.split()]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert set(run.glob("eval_*")) == before
