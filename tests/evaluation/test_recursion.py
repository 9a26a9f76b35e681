"""The synthesis network through trainer and evaluator, and experiments compared on recursion."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import hvp
from hvp.__main__ import main
from hvp.config import load_config
from hvp.errors import UserError
from hvp.evaluation import recursion as recursion_module
from hvp.evaluation.spectra import Spectrum
from hvp.experiment.checkpoints import load_experiment
from hvp.models.fusion.picture_model import PictureModel
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
    assert len(scores["curves"]["psnr"]) == len(scores["picture_curves"]["psnr"]) == 3
    assert scores["ssim"]["mean"] == pytest.approx(np.mean(scores["curves"]["ssim"][1:]))
    assert (tmp_path / "out/recursion.png").stat().st_size > 10000
    assert main([*arguments, "--first", "4"]) == 2
    assert "--first is 4, past the last generated frame, 3" in capsys.readouterr().err


def small_model(**settings):
    config = load_config("configs/fusion_demo.yml", OVERRIDES)
    return hvp.build_model(config.replace("model", **settings))


def test_pix2pix_leaves_out_what_is_not_the_conditional_gan():
    full, plain = (
        small_model(translator=kind, condition_on_previous=True, unsharp=0.5)
        for kind in ("full", "pix2pix")
    )

    def weights(network):
        return {"/".join(v.path.split("/")[-3:]): v.shape for v in network.trainable_variables}

    assert any("accompanying" in name for name in weights(full.translator))
    assert not any("accompanying" in name for name in weights(plain.translator))
    assert weights(plain.predictor) == weights(full.predictor)  # the pictures' half stays
    first = next(name for name in weights(full.translator) if "down_0/main/kernel" in name)
    assert [weights(m.translator)[first][2] for m in (full, plain)] == [2, 1]  # previous frame
    t = plain.of_translator
    assert (t.ssim_weight, t.gradient_difference_weight, t.unsharp) == (0.0, 0.0, 0.0)
    assert t.l1_weight == full.settings.l1_weight
    assert plain.settings.ssim_weight == 1.0  # of the predictor
    assert full.of_translator is full.settings


def test_pictures_are_predicted_from_pictures():
    """As in a rollout: the same window, the same steps, before anything is translated."""
    model = small_model()
    videos = np.random.default_rng(0).random((2, 7, 16, 16, 1)).astype("float32")
    window = model.pictures(videos[:, :4])
    predicted = PictureModel(model).rollout(window, 3)[0]
    assert predicted.shape == (2, 3, 16, 16, 1)
    first = model.predictor(window)
    np.testing.assert_allclose(predicted[:, :2], first, atol=1e-5)
    later = model.predictor(np.concatenate([window, first], axis=1)[:, -4:])
    np.testing.assert_allclose(predicted[:, 2:], later[:, :1], atol=1e-5)


@pytest.mark.slow
def test_only_fusion_pictures_have_a_curve():
    config = load_config("configs/fusion_demo.yml", OVERRIDES)
    frames = recursion_module.Recursion(context=5, horizon=3, num_examples=2)
    result = recursion_module.evaluate_pictures(config, small_model(), frames)
    assert result.curves["psnr"]["mean"].mean.shape == (3,)
    assert result.settings.context == 4  # what a rollout of 5 frames of context sees
    plain = small_model(fusion=False)
    assert recursion_module.evaluate_pictures(config, plain, frames) is None


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
