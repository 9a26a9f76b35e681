"""The motion GAN end to end: training, resuming, TensorBoard, generating, importing."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from run_files import eager_functions

from hvp.__main__ import main
from hvp.config import TrainingConfig
from hvp.data.video_io import read_video
from hvp.errors import UserError
from hvp.experiment.checkpoints import load_experiment
from hvp.models.motion_gan.bands import Bands
from hvp.models.motion_gan.codes import Codes
from hvp.models.seeds import fold_in
from hvp.weights import motion_gan, pytorch
from hvp.weights.pytorch import AdamState, MotionGANFile

CONFIG = """\
name: gan
data:
  dataset: moving_shapes
  height: 16
  width: 16
  channels: 3
  seq_len: 4
  train_videos: 6
  test_videos: 4
model:
  family: motion_gan
  video_length: 4
  content_dim: 8
  motion_dim: 8
  content_layers: 2
  width_factor: 0.015625
  r1_every: 2
training:
  batch_size: 4
  steps: 3
  learning_rate: 2.0e-3
  adam_epsilon: 1.0e-8
  clip_norm: null
  log_every: 1
  gifs_every: 3
  validate_every: 3
  validation_batches: 1
  checkpoint_every: 1
  keep_checkpoints: 1
  generators_every: 2
"""


@pytest.fixture(scope="module", autouse=True)
def eager():
    """A few eager steps are quicker than tracing; the slow test_shipped_configs.py has graphs."""
    with eager_functions():
        yield


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "gan.yml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    """Three steps in one go."""
    logs = tmp_path_factory.mktemp("logs")
    assert main(["train", "--config", str(config), "--logdir", str(logs)]) == 0
    return logs / "gan"


def checkpoint(folder):
    reader = tf.train.load_checkpoint(str(folder / "model"))
    names = [n for n in reader.get_variable_to_shape_map() if "_OBJECT_GRAPH" not in n]
    return {name: reader.get_tensor(name) for name in names}


def test_a_resumed_run_equals_an_uninterrupted_one(trained, config, tmp_path):
    arguments = ["train", "--config", str(config), "--logdir", str(tmp_path)]
    assert main([*arguments, "--set", "training.steps=2"]) == 0
    assert main(arguments) == 0
    whole, resumed = checkpoint(trained), checkpoint(tmp_path / "gan")
    assert set(whole) == set(resumed)
    for network in ("generator", "image_discriminator", "video_discriminator"):
        assert any(f"{network}_optimizer" in name for name in whole)
    for name, value in whole.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)


@pytest.mark.slow
def test_generators_are_kept_alone_and_for_good(trained, tmp_path, small_config, capsys):
    """Every second and the last step's, of which step 2 has no checkpoint any more."""
    names = {path.stem for path in (trained / "model/generators").glob("*.index")}
    assert names == {"ckpt-2", "ckpt-3"}
    assert {path.stem for path in (trained / "model").glob("ckpt-*.index")} == {"ckpt-3"}
    _, kept, step = load_experiment(trained, 2)
    assert step == 2
    _, last, _ = load_experiment(trained)
    _, alone, _ = load_experiment(trained, 3)
    pairs = zip(kept.average.weights, last.average.weights, strict=True)
    assert any(np.any(np.asarray(a) != np.asarray(b)) for a, b in pairs)
    for a, b in zip(alone.average.weights, last.average.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    arguments = ["--num-videos", "1", "--checkpoint", "2", "--out", str(tmp_path)]
    assert main(["generate", "--logdir", str(trained), *arguments]) == 0
    assert "step 2" in capsys.readouterr().out
    predictor = ["--config", str(small_config), "--set", "training.generators_every=5"]
    assert main(["train", *predictor, "--logdir", str(tmp_path / "logs")]) == 2
    assert "generators_every is 5: a convlstm model predicts" in capsys.readouterr().err


def test_what_tensorboard_gets(trained):
    tags = set()
    for path in (trained / "train").glob("events*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            tags |= {value.tag for value in event.summary.value}
    assert {"loss/generator", "r1/video", "frequencies/0", "generated/image_summary"} <= tags


@pytest.mark.parametrize(("frames", "expected"), [(3, "windows of at least 4"), (5, "never see")])
def test_windows_are_as_long_as_the_clips(config, tmp_path, capsys, frames, expected):
    arguments = ["train", "--config", str(config), "--logdir", str(tmp_path)]
    assert main([*arguments, "--set", f"data.seq_len={frames}"]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


def generate(trained, out, *extra):
    arguments = ["generate", "--logdir", str(trained), "--out", str(out), "--num-videos", "2"]
    return main([*arguments, *extra])


def test_generate_in_all_formats(trained, tmp_path, capsys):
    formats = "gif,mp4,png,strip"
    assert generate(trained, tmp_path, "--frames", "6", "--format", formats, "--seed", "4") == 0
    assert "videos generated: 2 of 6 frames, step 3" in capsys.readouterr().out
    frames = read_video(tmp_path / "video_00001", 16, 16, 3)
    assert frames.shape == (6, 16, 16, 3)
    strip = read_video(tmp_path / "video_00001.gif", 16, 16, 3)
    assert strip.shape == (6, 16, 16, 3)
    assert np.abs(strip.astype(int) - frames).mean() < 8  # 256 colours
    assert (tmp_path / "video_00001.mp4").stat().st_size > 0
    assert json.loads((tmp_path / "generated.json").read_text())["frames"] == 6
    # Fewer videos beside these would be taken for one set.
    assert generate(trained, tmp_path, "--num-videos", "1") == 2
    assert "holds 4 videos of a longer run, such as video_00001" in capsys.readouterr().err
    _, model, _ = load_experiment(trained)
    expected = model.generate(1, 6, seed=fold_in((4, 0), 1))[0].numpy()
    np.testing.assert_allclose(frames / 255, expected, atol=0.5 / 255 + 1e-4)


def png_frames(folder, number=0):
    return read_video(folder / f"video_0000{number}", 16, 16, 3).astype(int)


def test_generate_with_other_motion(trained, tmp_path):
    """The weights hardly move in three steps, so motions show in the last digits: png, not gif."""
    runs = {
        "plain": [],
        "still": ["--bands", "3,inf", "--keep", "0", "--range", "-1", "1"],
        "exchanged": ["--bands", "3,inf", "--exchange", "1"],
        "content": ["--hold", "content"],
        "motion": ["--hold", "motion"],
    }
    for name, extra in runs.items():
        assert generate(trained, tmp_path / name, "--format", "png", *extra) == 0
    plain = png_frames(tmp_path / "plain")
    np.testing.assert_array_equal(png_frames(tmp_path / "content"), plain)
    np.testing.assert_array_equal(png_frames(tmp_path / "motion"), plain)
    config, model, _ = load_experiment(trained)
    first, second = (model.draw_codes(1, fold_in((config.seed, 0), i)) for i in range(2))
    held = {
        "content": Codes(first.content, second.motion, first.noise),
        "motion": Codes(second.content, first.motion, second.noise),
    }
    for name, codes in held.items():
        assert np.abs(png_frames(tmp_path / name, 1) - png_frames(tmp_path / "plain", 1)).max() > 0
        expected = model.generate(1, 4, codes=codes)[0].numpy() * 255
        np.testing.assert_allclose(png_frames(tmp_path / name, 1), expected, atol=0.5 + 1e-2)
    for name in ("still", "exchanged"):
        assert np.abs(png_frames(tmp_path / name) - plain).max() > 0


def test_a_motion_code_for_each_band(trained, tmp_path):
    """`--exchange 0,1,2`: the slow motion is the video's own, the others two further codes'."""
    extra = ["--bands", "2,5,inf", "--exchange", "0,1,2"]
    assert generate(trained, tmp_path / "each", "--format", "png", *extra) == 0
    config, model, _ = load_experiment(trained)
    seed = config.seed
    own = model.draw_codes(1, fold_in((seed, 0), 1))
    others = [model.draw_codes(1, fold_in((seed, code), 1)).motion for code in (1, 2)]
    codes = Codes(own.content, [own.motion, *others], own.noise)
    bands = Bands((2.0, 5.0, math.inf))
    expected = model.generate(1, 4, codes=codes, bands=bands)[0].numpy() * 255
    np.testing.assert_allclose(png_frames(tmp_path / "each", 1), expected, atol=0.5 + 1e-2)
    # A band's number alone: that band has the first further code.
    for name, which in (("number", "1"), ("codes", "0,1,0")):
        extra = ["--bands", "2,5,inf", "--exchange", which]
        assert generate(trained, tmp_path / name, "--format", "png", *extra) == 0
    np.testing.assert_array_equal(*(png_frames(tmp_path / n) for n in ("number", "codes")))
    about = json.loads((tmp_path / "number/generated.json").read_text())
    assert about["exchange"] == [0, 1, 0]


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (["--keep", "0"], "--keep: needs --bands"),
        (["--bands", "3,2", "--keep", "0"], "rising order"),
        (["--bands", "3,inf"], "--keep or --exchange"),
        (["--bands", "3,inf", "--keep", "5"], "numbered 0 to 1"),
        (["--bands", "x", "--keep", "0"], "expected numbers"),
        (["--bands", "3,inf", "--exchange", "2"], "numbered 0 to 1"),
        (["--bands", "3,inf", "--exchange", "0,1,2"], "for each of the 2 bands"),
        (["--bands", "3,inf", "--exchange", "0,-1"], "a number from 0"),
        (["--range", "3", "1"], "must come after the start"),
        (["--range", "0", "1e30"], "must lie within -10000 to 10000"),
        (["--format", "webm"], "'webm' is none of gif,mp4"),
        (["--frames", "0"], "--frames must be at least 1"),
    ],
)
def test_generate_refuses_in_one_line(trained, tmp_path, capsys, extra, expected):
    assert generate(trained, tmp_path, *extra) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


def test_published_checkpoints(trained, config, tmp_path, capsys):
    """A .pt file of the original's layout, with its arguments, becomes an experiment."""
    torch = pytest.importorskip(
        "torch", reason="PyTorch is absent; with it this test proves that its files are read"
    )
    _, model, _ = load_experiment(trained)
    random = np.random.default_rng(0)
    networks = {
        "g": motion_gan.generator_targets(model.generator),
        "g_ema": motion_gan.generator_targets(model.average),
        "img_d": motion_gan.discriminator_targets(model.image_discriminator),
        "vid_d": motion_gan.discriminator_targets(model.video_discriminator),
    }
    state = {}
    for name, targets in networks.items():
        # Each variable's original layout is found by trying: the converter is what is inverted.
        arrays = {key: original_layout(key, target, random) for key, target in targets.items()}
        state[name] = {f"module.{key}": torch.from_numpy(array) for key, array in arrays.items()}
        state[name]["module.convs.1.skip.0.kernel"] = torch.ones(4, 4)
    path = tmp_path / "published.pt"
    original = argparse.Namespace(
        image_size=16,
        video_length=4,
        VD_resize_ratio=0.5,
        video_discriminator="PatchVideoDiscriminator",
        freq_val="7",
        r1=10,
    )
    optimizers = {}
    for network, own in pytorch.MOTION_GAN_OPTIMIZERS.items():
        skipped = ("kernel", *(f"noise_{i}" for i in range(9)))
        kept = [a for name, a in state[network].items() if not name.endswith(skipped)]
        adam = torch.optim.Adam([torch.nn.Parameter(array) for array in kept], lr=2e-3)
        for parameter in adam.param_groups[0]["params"]:
            parameter.grad = torch.ones_like(parameter)
        adam.step()
        optimizers[own] = adam.state_dict()
    torch.save({**state, **optimizers, "iter": 5, "args": original}, path)
    command = ["import-weights", "--checkpoint", str(path), "--config", str(config)]
    other = ["--set", "data.height=32", "--set", "data.width=32", "--set", "model.frequencies=[3]"]
    assert main([*command, "--logdir", str(tmp_path / "other"), *other]) == 2
    expected = "--set data.height=16 --set data.width=16 --set model.frequencies=[7.0]"
    assert capsys.readouterr().err.endswith(f"other settings than {config} has; add {expected}\n")
    assert main([*command, "--logdir", str(tmp_path / "logs")]) == 0
    _, imported, step = load_experiment(tmp_path / "logs/gan")
    assert step == 5
    saved = checkpoint(tmp_path / "logs/gan")
    counts = [value for name, value in saved.items() if "iterations" in name or "iteration" in name]
    assert counts
    assert all(count == 1 for count in counts)
    stored = state["g_ema"]["module.renderer.conv1.conv.weight"].numpy()[0]
    kernel = np.asarray(imported.average.renderer.first.convolution.kernel)
    np.testing.assert_array_equal(kernel, stored.transpose(2, 3, 1, 0))

    torch.save({"g_ema": state["g_ema"], "args": original}, path)
    assert main([*command, "--logdir", str(tmp_path / "alone")]) == 0
    assert "holds the averaged generator alone" in capsys.readouterr().err
    _, alone, _ = load_experiment(tmp_path / "alone/gan")
    for network in (alone.average, alone.generator):
        np.testing.assert_array_equal(network.renderer.first.convolution.kernel, kernel)

    for damaged in (b"", b"\x00" * 3000):
        path.write_bytes(damaged)
        assert main([*command, "--logdir", str(tmp_path / "again")]) == 2
        assert "damaged, or holds more than tensors" in capsys.readouterr().err
    torch.save({"g": state["g"]}, path)
    assert main([*command, "--logdir", str(tmp_path / "again")]) == 2
    assert "it holds no g_ema, img_d, vid_d (found g)" in capsys.readouterr().err


def test_the_optimizers_of_a_published_checkpoint(trained):
    """Moments go to the variable that PyTorch's place means; buffers are no parameters."""
    _, model, _ = load_experiment(trained)
    model.configure_training(TrainingConfig(learning_rate=2e-3, adam_epsilon=1e-8))
    random = np.random.default_rng(0)
    networks, optimizers, layouts = {}, {}, {}
    for network, targets in motion_gan._network_targets(model).items():
        layouts[network] = {key: original_layout(key, t, random) for key, t in targets.items()}
        networks[network] = {"convs.1.skip.0.kernel": np.ones((4, 4)), **layouts[network]}
    for network in ("g", "img_d", "vid_d"):
        targets = motion_gan._network_targets(model)[network]
        names = [name for name in layouts[network] if targets[name].variable.trainable]
        optimizers[network] = {
            place: AdamState(layouts[network][name] + 1, layouts[network][name] ** 2, 40 + place)
            for place, name in enumerate(names)
        }
    file = MotionGANFile(networks, {}, optimizers, 37)
    motion_gan.assign_optimizers(model, file, Path("published.pt"))
    for network, own in motion_gan.OPTIMIZED.items():
        optimizer = model.optimizers[f"{own}_optimizer"]
        targets = motion_gan._network_targets(model)[network]
        count = 0
        for name, (variable, convert) in targets.items():
            if variable.trainable:
                array = convert(layouts[network][name])
                np.testing.assert_array_equal(optimizer.momentum_of(variable), array + 1, name)
                np.testing.assert_array_equal(optimizer.velocity_of(variable), array**2, name)
                count += 1
        assert int(optimizer.iterations) == 40 + count - 1
    optimizers["g"][10**6] = optimizers["g"][0]
    with pytest.raises(UserError, match=r"published.pt: g_optim has a state of parameter 1000000"):
        motion_gan.assign_optimizers(model, file, Path("published.pt"))
    optimizers["g"] = {0: AdamState(np.zeros(3), np.zeros(3), 1)}
    with pytest.raises(UserError, match=r"g_optim: weights do not fit"):
        motion_gan.assign_optimizers(model, file, Path("published.pt"))


def original_layout(name, target, random):
    """A random array whose conversion has the variable's shape."""
    shape = tuple(target.variable.shape)
    candidates = [
        shape,
        shape[::-1],
        (shape[-1], shape[-2], *shape[:-2]) if len(shape) > 2 else (),
        (1, shape[-1], shape[-2], *shape[:-2]) if len(shape) > 2 else (),
        (1, shape[-1], *shape[1:-1]) if len(shape) == 4 else (),
        (*shape, 1),
        (1, *shape, 1, 1),
        (1,),
    ]
    for candidate in candidates:
        array = random.standard_normal(candidate).astype(np.float32)
        try:
            if target.convert(array).shape == shape:
                return array
        except ValueError:
            continue
    raise AssertionError(name)
