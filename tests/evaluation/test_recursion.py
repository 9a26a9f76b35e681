"""The synthesis network through trainer and evaluator, and experiments compared on recursion."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import hvp
from hvp.__main__ import main
from hvp.commands.ablate_fusion import ABLATION
from hvp.config import load_config
from hvp.errors import UserError
from hvp.evaluation import recursion as recursion_module
from hvp.evaluation.spectra import Spectrum
from hvp.experiment.checkpoints import load_experiment, save_experiment
from hvp.training.trainer import train

SMALL = {
    "data.height": "16",
    "data.width": "16",
    "data.seq_len": "6",
    "data.train_videos": "8",
    "data.test_videos": "4",
    "model.frames": "4",
    "model.step": "2",
    "model.predictor_filters": "[4, 4]",
    "model.translator_filters": "[4, 4]",
    "model.discriminator_filters": "[4, 4]",
    "training.batch_size": "4",
    "training.steps": "2",
    "training.schedule": "constant",
    "training.gifs_every": "0",
    "training.validate_every": "4",
    "evaluation.context": "4",
    "evaluation.seq_len": "7",
}
OVERRIDES = [f"{key}={value}" for key, value in SMALL.items()]


def quiet_train(config, logdir):
    return train(config, logdir, report=lambda line: None)


def values(folder):
    _, model, _ = load_experiment(folder)
    return {v.path.split("/", 1)[1]: np.array(v) for v in model.variables}


@pytest.mark.slow
def test_stages_one_after_the_other(tmp_path, capsys):
    overrides = [*OVERRIDES, "model.stage=predictor"]
    folder = quiet_train(load_config("configs/fusion_demo.yml", overrides), tmp_path)
    first = values(folder)
    overrides = [*OVERRIDES, "model.stage=translator", "training.steps=4"]
    quiet_train(load_config("configs/fusion_demo.yml", overrides), tmp_path)
    second = values(folder)
    assert second.keys() == first.keys()
    for network, moved in (("predictor", False), ("translator", True)):
        names = [name for name in first if name.startswith(network)]
        assert any(np.any(first[n] != second[n]) for n in names) == moved
    assert main(["evaluate", "--logdir", str(folder)]) == 0
    assert main(["evaluate", "--logdir", str(folder), "--open-loop-ctx", "3"]) == 2
    assert "needs at least 4 frames of context" in capsys.readouterr().err
    out = str(tmp_path / "out")
    arguments = ["recursion", "--logdir", str(folder), "--context", "4", "--horizon", "3"]
    assert main([*arguments, "--first", "2", "--out", out]) == 0
    summary = json.loads((tmp_path / "out/recursion.json").read_text())
    ((name, scores),) = summary["experiments"].items()
    assert name == "fusion_demo"
    assert len(scores["curves"]["psnr"]) == 3
    assert scores["ssim"]["mean"] == pytest.approx(np.mean(scores["curves"]["ssim"][1:]))
    assert (tmp_path / "out/recursion.png").stat().st_size > 10000
    assert main([*arguments, "--first", "4"]) == 2
    assert "--first is 4, past the last generated frame, 3" in capsys.readouterr().err


@pytest.mark.slow
def test_ablation_trains_its_variants(tmp_path, monkeypatch, capsys):
    trained = {}

    def fake_train(config, logdir):
        trained[config.name] = config.model
        model = hvp.build_model(config)
        model.configure_training(config.training)
        return save_experiment(config, model, logdir)

    monkeypatch.setattr("hvp.training.trainer.train", fake_train)
    sets = [part for override in OVERRIDES for part in ("--set", override)]
    arguments = ["--context", "4", "--horizon", "2", "--first", "1", "--num-examples", "2"]
    assert main(["ablate-fusion", "--logdir", str(tmp_path), *sets, *arguments]) == 0
    assert list(trained) == list(ABLATION)
    assert [trained[name].fusion for name in trained] == [True, False, True]
    assert [trained[name].accompanying for name in trained] == [True, True, False]
    assert "without_accompanying" in capsys.readouterr().out
    assert (tmp_path / "comparison/recursion.png").is_file()
    assert main(["ablate-fusion", "--config", "configs/sdfnet_demo.yml"]) == 2
    assert "the ablation is of fusion models" in capsys.readouterr().err


def test_high_frequencies():
    frequency = np.array([0.0, 0.2, 0.25, 0.5])
    energy = {"truth": np.array([8.0, 4.0, 2.0, 1.0]), "prediction": np.array([8.0, 4.0, 0.5, 0.1])}
    spectrum = Spectrum(frequency, energy)
    assert recursion_module.high_frequency_energy(spectrum, "truth") == 3
    assert recursion_module.high_frequency_energy(spectrum, "prediction") == pytest.approx(0.6)


def test_a_model_that_needs_masks_says_so(tmp_path):
    overrides = [*OVERRIDES, "model.segmentation=annotations"]
    with pytest.raises(UserError, match=r"data\.masks is false, but this fusion model needs masks"):
        quiet_train(load_config("configs/fusion_demo.yml", overrides), tmp_path)


def test_windows_that_are_too_short(tmp_path):
    overrides = ["data.seq_len=16", "model.step=1"]
    with pytest.raises(UserError, match=r"data\.seq_len is 16; .* at least 17 frames"):
        quiet_train(load_config("configs/fusion_demo.yml", overrides), tmp_path)


def test_fuse_takes_masks_that_belong_to_the_frames(tmp_path, capsys):
    frames, masks, out = (tmp_path / name for name in ("frames", "masks", "fused.gif"))
    frames.mkdir(), masks.mkdir()
    for t in range(3):
        Image.fromarray(np.full((24, 32, 3), 60 * t, np.uint8)).save(frames / f"{t}.jpg")
    for t in range(4):
        Image.fromarray(np.full((24, 32), t % 2, np.uint8)).save(masks / f"{t}.png")
    np.save(tmp_path / "video.npy", np.zeros((3, 24, 32, 3), np.uint8))

    def fuse(name, *more):
        arguments = ["--input", str(tmp_path / name), "--masks", str(masks), "--out", str(out)]
        code = main(["fuse", *arguments, *more])
        return code, capsys.readouterr().err

    assert fuse("frames") == (2, f"error: {masks}: 4 masks for the 3 frames in {frames}\n")
    assert fuse("video.npy") == (2, f"error: {masks}: holds 4 masks for 3 frames\n")
    assert fuse("video.npy", "--max-frames", "2") == (0, "")
    (masks / "1.png").unlink()
    assert "1 of 3 masks missing, the first for 1.jpg" in fuse("frames")[1]
    (masks / "3.png").rename(masks / "1.png")
    out.unlink()
    assert fuse("frames") == (0, "")
    assert out.is_file()


def test_fuse_command(tmp_path, capsys):
    frames = np.zeros((3, 24, 32, 3), np.uint8)
    frames[:, 6:18, 8:20] = 200
    np.save(tmp_path / "video.npy", frames)
    out = str(tmp_path / "fused.gif")
    arguments = ["fuse", "--input", str(tmp_path / "video.npy"), "--out", out]
    assert main(arguments) == 0
    assert "3 frames" in capsys.readouterr().out
    assert (tmp_path / "fused.gif").read_bytes().startswith(b"GIF")
    for more, message in (
        (["--regions", "1"], "regions must be 2 to 256"),
        (["--masks", str(tmp_path / "none")], "none: no masks: No such file"),
        (["--height", "0"], "--height must be at least 1"),
        (["--out", str(tmp_path / "fused.mp4")], "fused.mp4: the pictures are written as .gif"),
    ):
        assert main([*arguments, *more]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
