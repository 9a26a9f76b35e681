"""Models that are passed on: written, read back, refused where they are damaged."""

from __future__ import annotations

import json
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from run_files import eager_functions

import hvp
from hvp.__main__ import main
from hvp.config import load_config
from hvp.data.video_split import evaluation_split
from hvp.errors import UserError
from hvp.experiment import presets
from hvp.experiment.checkpoints import load_experiment, save_experiment
from hvp.experiment.shared_folder import read_record
from hvp.experiment.sharing import share
from hvp.families import FAMILIES
from hvp.files import file_sha256

SMALL = [
    "name=small",
    *(f"model.{key}" for key in ("levels=2", "enc_dense_embed_size=8", "cell_stoch_size=3")),
    *(f"model.{key}" for key in ("cell_deter_size=8", "cell_embed_size=8", "channels_mult=0.125")),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two updates, evaluated, as far as sharing reads it."""
    logs = tmp_path_factory.mktemp("logs")
    config = load_config("demo", SMALL)
    model = hvp.build_model(config)
    model.configure_training(config.training)
    folder = save_experiment(config, model, logs, step=2)
    with tf.summary.create_file_writer(str(folder / "train")).as_default():
        for step, loss in ((1, 3.5), (2, 2.5), (3, 9.0)):  # the last, of updates that were undone
            tf.summary.scalar("loss", loss, step=step)
    kinds = ("mean_over_samples", "copy_last_frame")
    metrics = {
        "summary": {"mse": {kind: {"mean": 0.25, "ci95": 0.1} for kind in kinds}},
        "per_frame": {"mse": {kind: {"mean": [0.1, 0.4]} for kind in kinds}},
        "protocol": {
            "checkpoint_step": 2, "num_contexts": 4, "context": 3, "horizon": 2, "num_samples": 1,
            "name": "default", "dataset": "moving_mnist", "split": "test",
        },
    }  # fmt: skip
    starts = [{"step": 0, "commit": "aaa"}, {"step": 1, "commit": "bbb"}]
    (folder / "starts.jsonl").write_text("\n".join(map(json.dumps, starts)) + "\n")
    (folder / "eval_1").mkdir()
    (folder / "eval_1/metrics.json").write_text(json.dumps(metrics))
    (folder / "eval_1/grid_1.png").write_bytes(b"picture")
    return folder


@pytest.fixture(scope="module")
def shared(run, tmp_path_factory):
    return share(run, tmp_path_factory.mktemp("shared") / "small", "A small one", "float32")


@pytest.fixture
def copied(shared, tmp_path):
    return Path(shutil.copytree(shared, tmp_path / "copied"))


def rewrite(folder, change):
    """Changes the arrays of a shared folder, and its record of them."""
    with np.load(folder / "weights.npz") as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(folder / "weights.npz", **arrays)
    record = json.loads((folder / "preset.json").read_text())
    record["weights"]["sha256"] = file_sha256(folder / "weights.npz")
    (folder / "preset.json").write_text(json.dumps(record))


def test_what_is_shared_predicts_as_the_run_does(run, shared, eagerly):
    context = np.random.default_rng(0).random((1, 4, 32, 32, 1), np.float32)
    config, expected, step = load_experiment(run)
    found_config, actual, found_step = load_experiment(shared)
    assert (found_config, found_step) == (config, step)
    for model in (actual, hvp.from_preset(shared)):
        np.testing.assert_array_equal(
            model.rollout(context, 2, seed=1), expected.rollout(context, 2, seed=1)
        )


def test_what_lies_beside_the_weights(shared):
    assert {p.name for p in shared.iterdir()} == {
        "config.yml", "weights.npz", "preset.json", "curve.csv", "grid_1.png", "README.md",
    }  # fmt: skip
    record = read_record(shared)
    assert record["weights"]["sha256"] == file_sha256(shared / "weights.npz")
    assert record["weights"]["bytes"] == (shared / "weights.npz").stat().st_size
    assert record["training"]["commit"] == "aaa, bbb"
    assert record["evaluation"]["last_frame"]["mse"]["mean_over_samples"] == 0.4
    assert (shared / "curve.csv").read_text().split() == [
        "step,split,loss", "1,train,3.5", "2,train,2.5",
    ]  # fmt: skip
    card = (shared / "README.md").read_text()
    said = ["# A small one", "| mse | 0.25 | 0.4 |", "grid_1.png", record["weights"]["sha256"]]
    said += ["dataset: moving_mnist", "hvp train --config config.yml", "4 contexts of 3 frames"]
    assert [part for part in said if part not in card] == []


def test_halved_weights_are_half_the_size_and_near(run, shared, tmp_path):
    halved = share(run, tmp_path / "halved")
    sizes = [read_record(folder)["weights"]["bytes"] for folder in (halved, shared)]
    assert sizes[0] < 0.65 * sizes[1]
    models = hvp.from_preset(halved), load_experiment(shared)[1]
    for half, full in zip(*(model.weights for model in models), strict=True):
        np.testing.assert_allclose(half, full, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "weights.npz").write_bytes(b"PK"), "its SHA-256 differs"),
        (lambda f: rewrite(f, lambda a: a.popitem()), "weights do not fit the model: missing"),
        (lambda f: rewrite(f, lambda a: a.update(x=np.zeros(1))), "holds x, which this model does"),
        (lambda f: rewrite(f, lambda a: a.update({next(iter(a)): np.zeros(3)})), r"has shape \(3,"),
        (
            lambda f: rewrite(f, lambda a: a.update({next(iter(a)): np.array([{}], object)})),
            "cannot be read .*allow_pickle",
        ),
        (
            lambda f: rewrite(f, lambda a: [v.fill(np.nan) for v in a.values()]),
            "holds NaN or Inf",
        ),
        (lambda f: (f / "preset.json").write_text("{"), "is no JSON"),
        (lambda f: (f / "preset.json").write_text("[]"), "does not say what its weights are"),
        (lambda f: (f / "preset.json").unlink(), "preset.json: cannot be read: No such file"),
        (
            lambda f: (f / "config.yml").write_text("base: simvp_demo\nname: x\n"),
            "is of the family hierarchical, the configuration beside it of simvp",
        ),
    ],
)
def test_damage_is_one_line(damage, message, copied):
    damage(copied)
    with pytest.raises(UserError, match=message) as caught:
        load_experiment(copied)
    assert "\n" not in str(caught.value)


def test_other_checkpoints_are_not_there(copied, run, tmp_path):
    with pytest.raises(UserError, match="leave --checkpoint best out"):
        load_experiment(copied, "best")
    with pytest.raises(UserError, match="was shared already"):
        share(copied, tmp_path / "again")
    unevaluated = Path(shutil.copytree(run, tmp_path / "run"))
    shutil.rmtree(unevaluated / "eval_1")
    with pytest.raises(UserError, match=r"no evaluation of step 2.*hvp evaluate --logdir"):
        share(unevaluated, tmp_path / "other")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/photo.jpg").write_bytes(b"")
    with pytest.raises(UserError, match="holds something else"):
        share(run, tmp_path / "full")


def test_names_and_folders(shared, tmp_path):
    assert presets.find_preset(shared) == shared
    with pytest.raises(UserError, match="no preset 'hierarchicl/moving-digits' and no folder"):
        presets.find_preset("hierarchicl/moving-digits")
    assert presets.results_folder(shared) == shared.resolve()
    packaged = presets._PACKAGED / "hierarchical/moving-digits"
    assert presets.results_folder(packaged) == Path("logs/hierarchical-moving-digits")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A stand-in for `huggingface_hub` that keeps its one repository in a folder."""
    place = tmp_path / "cache/models--me--mine/snapshots/abc"

    def snapshot_download(repo, revision, allow_patterns, cache_dir):
        if repo != "me/mine":
            raise OSError("404\nnot found")
        return str(place)

    def upload_folder(repo_id, folder_path, revision):
        shutil.copytree(folder_path, place)

    module = types.ModuleType("huggingface_hub")
    module.snapshot_download, module.upload_folder = snapshot_download, upload_folder
    module.create_repo = lambda repo, exist_ok: None
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)


def test_to_the_hub_and_back(run, hub, capsys):
    assert main(["share", "--logdir", str(run), "--to", "hf://me/mine"]) == 0, capsys.readouterr()
    folder = presets.find_preset("hf://me/mine@main")
    assert load_experiment(folder)[2] == 2
    assert presets.results_folder(folder) == Path("logs/me-mine")
    with pytest.raises(UserError, match=r"hf://me/other: cannot be fetched \(404 not found\)"):
        presets.find_preset("hf://me/other")
    with pytest.raises(UserError, match="hf://mine: is no model on the Hub"):
        presets.find_preset("hf://mine")


def test_the_hub_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match="pip install huggingface_hub"):
        presets.find_preset("hf://me/mine")


def test_commands_take_presets(shared, tmp_path, capsys):
    video = tmp_path / "video.npy"
    np.save(video, np.zeros((4, 32, 32, 1), np.uint8))
    out = tmp_path / "out"
    command = ["predict", "--preset", str(shared), "--input", str(video), "--out", str(out)]
    sizes = ["--context", "3", "--horizon", "2", "--samples", "1", "--format", "npz"]
    assert main([*command, *sizes]) == 0, capsys.readouterr().err
    assert (out / "video/prediction.npz").is_file()
    assert main([*command, "--logdir", str(shared)]) == 2
    assert "not allowed with argument" in capsys.readouterr().err


def test_those_that_come_with_hvp():
    sizes = []
    for name, title in hvp.presets().items():
        folder = presets.find_preset(name)
        record = read_record(folder)
        family, _, _ = name.partition("/")
        assert record["family"] == family == load_config(folder / "config.yml").model.family
        assert record["weights"]["sha256"] == file_sha256(folder / "weights.npz")
        assert title
        assert (folder / "README.md").is_file()
        sizes.append((folder / "weights.npz").stat().st_size)
    assert "hierarchical/moving-digits" in hvp.presets()
    assert max(sizes) <= 4 * 2**20
    assert sum(p.stat().st_size for p in presets._PACKAGED.rglob("*") if p.is_file()) <= 20 * 2**20


# Two that take four seconds or more each, half of it to make and compile the model.
SLOW_PRESETS = ("dfdnet/moving-digits", "sdfnet/moving-digits")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in SLOW_PRESETS else ())
        for name in hvp.presets()
    ],
)
def test_each_predicts_as_its_card_says(name):
    config, model, _ = load_experiment(name)
    if FAMILIES[config.model.family].generates:
        with eager_functions():
            videos = model.generate(1, 4, seed=0)
        assert np.all((videos >= 0) & (videos <= 1))
        assert np.std(videos) > 0.01
        return
    evaluation = read_record(presets.find_preset(name))["evaluation"]
    protocol, recorded = evaluation["protocol"], evaluation["summary"]["mse"]["mean_over_samples"]
    split, few = evaluation_split(config), 16
    windows = split.choose_windows(few, protocol["windows"])
    videos = next(iter(split.evaluation_batches(few, windows=windows)))["video"].numpy()
    context = videos[:, : protocol["context"]]
    with eager_functions():  # sooner done than traced
        predicted = model.rollout(context, protocol["horizon"], num_samples=1, seed=0)[0]
    error = np.mean(np.square(predicted - videos[:, protocol["context"] :]))
    # What chance makes of the mean over a few of the videos, four times its standard deviation.
    spread = recorded["ci95"] / 1.96 * np.sqrt(protocol["num_videos"] / few)
    assert error == pytest.approx(recorded["mean"], abs=4 * spread)
    assert error < 0.6 * evaluation["summary"]["mse"]["copy_last_frame"]["mean"]
