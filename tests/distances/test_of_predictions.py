"""FVD of a predictor, alone and through `eval_with_lpips.py`."""

import json
import shutil

import numpy as np
import pytest
import yaml

import hvp
from hvp.__main__ import main
from hvp.distances.embedding import load_embedding, min_frames
from hvp.distances.of_predictions import PredictionDistance
from hvp.errors import UserError
from hvp.experiment.checkpoints import save_experiment

CONFIG = {
    "name": "tiny",
    "data": {"dataset": "moving_mnist", "height": 32, "width": 32, "test_videos": 3},
    "model": {
        "levels": 1,
        "enc_dense_layers": 1,
        "enc_dense_embed_size": 8,
        "cell_stoch_size": 4,
        "cell_deter_size": 8,
        "cell_embed_size": 8,
        "channels_mult": 0.125,
    },
    "evaluation": {"context": 2, "seq_len": 11, "num_samples": 6, "batch_size": 2},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    (folder / "tiny.yml").write_text(yaml.safe_dump(CONFIG))
    config = hvp.load_config(folder / "tiny.yml")
    model = hvp.build_model(config)
    model.configure_training(config.training)
    return save_experiment(config, model, folder / "logs")


@pytest.mark.slow
def test_context_in_and_out(i3d_network):
    network = i3d_network
    random = np.random.default_rng(0)
    videos = random.uniform(size=(3, 11, 16, 16, 1)).astype(np.float32)
    context, future = videos[:, :2], np.rint(videos[:, 2:] * 255) / 255
    predicted = 1 - future
    for where, real, fake in (
        ("out", future, predicted),
        ("in", np.concatenate([context, future], 1), np.concatenate([context, predicted], 1)),
    ):
        distance = PredictionDistance(network, 2, 9, where)
        for first, last in ((0, 2), (2, 3)):
            distance.update(context[first:last], future[first:last], predicted[first:last])
        record = distance.record({"height": 16})
        expected = hvp.distances.frechet_distance(
            *(network.embed(np.rint(clips * 255).astype(np.uint8)) for clips in (real, fake))
        )
        assert record["value"] == pytest.approx(expected, rel=1e-4)
        frames = real.shape[1]
        assert record["protocol"] == f"fvd3_{frames}f_context2{where}"
        assert record["metric"].startswith(f"{record['protocol']}_weights_")
        assert (record["num_frames"], record["context"]) == (frames, [where, 2])


def test_short_predictions_need_their_context(i3d_network):
    with pytest.raises(UserError, match="at least 9 frames, found 6"):
        PredictionDistance(i3d_network, context=5, horizon=6, where="out")
    assert PredictionDistance(i3d_network, context=5, horizon=6, where="in").num_frames == 11


@pytest.mark.slow
def test_evaluation_reports_it(run, i3d_checkpoint, i3d_network, monkeypatch, capsys):
    monkeypatch.setattr("hvp.distances.i3d.I3D", {str(i3d_checkpoint): i3d_network}.get)
    arguments = ["evaluate", "--logdir", str(run), "--metrics", "mse", "--no-save-grid"]
    assert main([*arguments, "--fvd-weights", str(i3d_checkpoint)]) == 0
    (folder,) = run.glob("eval_*")
    fvd = json.loads((folder / "metrics.json").read_text())["fvd"]
    assert fvd["protocol"] == "fvd3_9f_context2out"
    assert fvd["value"] > 0
    assert (fvd["height"], fvd["width"], fvd["num_real"]) == (32, 32, 3)
    assert sorted(fvd["weights"]["sha256"]) == [
        "model.ckpt.data-00000-of-00001",
        "model.ckpt.index",
    ]
    page = (folder / "report.html").read_text()
    assert fvd["metric"] in page
    assert "Kernel distance" in page
    assert "without the 2 of" in " ".join(page.split())
    assert f"{fvd['metric']}: {fvd['value']:.4g}" in capsys.readouterr().out


@pytest.mark.slow
def test_other_features_work_without_weights(run, monkeypatch, capsys):
    """The small network, and a function of one's own, whose clips may be shorter than I3D's."""
    monkeypatch.syspath_prepend(str(run))
    (run / "means.py").write_text("def means(clips):\n    return clips.mean((1, 2, 4))\n")
    arguments = ["evaluate", "--logdir", str(run), "--metrics", "mse", "--no-save-grid"]
    short = ["--eval-seq-len", "6", "--num-samples", "1"]
    for features, ending in (("small", "_small"), ("means:means", "_features_")):
        before = set(run.glob("eval_*"))
        assert main([*arguments, *short, "--features", features]) == 0
        (folder,) = set(run.glob("eval_*")) - before
        fvd = json.loads((folder / "metrics.json").read_text())["fvd"]
        assert fvd["metric"].startswith(f"fvd3_4f_context2out{ending}")
        assert fvd["value"] > 0
        page = " ".join((folder / "report.html").read_text().split())
        assert "compare with nobody else" in page
        shutil.rmtree(folder)


def test_features_that_are_not_there_and_clips_too_short_for_them(run, capsys):
    arguments = ["evaluate", "--logdir", str(run), "--metrics", "mse", "--no-save-grid"]
    assert main([*arguments, "--features", "small", "--eval-seq-len", "5"]) == 2
    assert "at least 4 frames, found 3" in capsys.readouterr().err
    assert main([*arguments, "--features", "smal"]) == 2
    assert "--features smal: there is no such thing; valid: i3d, small" in capsys.readouterr().err
    random = np.random.default_rng(0)
    context, future = (random.uniform(size=(3, n, 16, 16, 1)).astype(np.float32) for n in (2, 4))
    distance = PredictionDistance(load_embedding("small"), 2, 4, "out", min_frames("small"))
    distance.update(context, future, 1 - future)
    record = distance.record({})
    assert record["metric"] == "fvd3_4f_context2out_small"
    assert record["value"] > 0


def test_missing_weights_and_too_few_contexts_are_errors(run, i3d_checkpoint, tmp_path, capsys):
    arguments = ["evaluate", "--logdir", str(run), "--metrics", "mse", "--no-save-grid"]
    assert main([*arguments, "--fvd-weights", str(tmp_path)]) == 2
    assert f"--fvd-weights {tmp_path}: holds no checkpoint of I3D" in capsys.readouterr().err
    one = ["--fvd-weights", str(i3d_checkpoint), "--num-examples", "1"]
    assert main([*arguments, *one]) == 2
    assert "at least 2 contexts" in capsys.readouterr().err
