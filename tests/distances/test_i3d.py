"""I3D against its golden, its embedding, and its weights' checkpoints."""

import os
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import hvp
from hvp.distances import i3d
from hvp.distances.i3d_checkpoint import NAME_PREFIX, find_i3d_checkpoint, values_sha256
from hvp.errors import UserError


@pytest.fixture
def network(i3d_network):
    return i3d_network


def close(measured, expected):
    """To 1e-5 of the largest value: the bar is 1e-4, the original's own float32 noise 1e-6."""
    np.testing.assert_allclose(measured, expected, atol=1e-5 * np.abs(expected).max(), rtol=0)


def test_as_another_implementation(golden, network):
    """Recorded by `record_perceptual.py` with PyTorch, whose weights follow the same recipe."""
    stored = golden("i3d_seeded")
    endpoints = network.endpoints(stored["inputs/clip"] / np.float32(255))
    assert len(endpoints) == 19
    for name in ("features", "logits_per_time", "logits"):
        close(endpoints[name], stored[f"outputs/{name}"])


def test_weights_are_the_goldens(golden, i3d_weights):
    stored = golden("shared/i3d")
    assert len(i3d_weights) == 230
    sums = [float(i3d_weights[name].sum(dtype=np.float64)) for name in sorted(i3d_weights)]
    np.testing.assert_allclose(sums, stored["weights/sum"], rtol=1e-9)


def test_golden_of_every_stage(golden, network):
    stored = golden("shared/i3d")
    endpoints = network.endpoints(stored["inputs/clip_c"] / np.float32(255))
    assert len(endpoints) == 16  # 64x48 is too small for the last pooling
    for name, value in endpoints.items():
        assert tuple(value.shape) == tuple(stored[f"outputs/clip_c/endpoint_shape/{name}"]), name
        mean = stored[f"outputs/clip_c/endpoint_mean/{name}"]
        np.testing.assert_allclose(
            np.mean(value, (0, 1, 2, 3)), mean, atol=1e-4 * np.abs(mean).max(), err_msg=name
        )
    expected = stored["outputs/clip_c/Mixed_5c"]
    np.testing.assert_allclose(endpoints["Mixed_5c"], expected, atol=5e-5)


@pytest.mark.parametrize("clip", ["clip_a", "clip_b"])  # b has odd sizes inside
def test_golden_logits(golden, network, clip):
    stored = golden("shared/i3d")
    videos = stored[f"inputs/{clip}"] / np.float32(255)
    endpoints = network.endpoints(videos)
    for name in ("features", "logits_per_time", "logits"):
        close(endpoints[name], stored[f"outputs/{clip}/{name}"])
    close(network(stored[f"inputs/{clip}"]), stored[f"outputs/{clip}/logits"])  # uint8


def test_golden_embedding(golden, network):
    stored = golden("shared/i3d")
    clip = stored["inputs/clip_a"][:, :16]  # already 224x224: resizing changes nothing
    close(network.embed(clip), stored["outputs/clip_a_first16/logits"])


def test_embedding_resizes_as_tensorflow_1_does(network, monkeypatch):
    frames = np.random.default_rng(0).integers(0, 256, (5, 9, 31, 47, 1), np.uint8)
    monkeypatch.setattr(i3d, "FRAMES_AT_ONCE", 18)  # 2 videos, then 2, then 1
    embedded = network.embed(frames)
    assert embedded.shape == (5, 400)
    assert embedded.dtype == np.float32
    colour = np.repeat(frames[3:4], 3, -1).astype(np.float32)
    resized = tf.compat.v1.image.resize_bilinear(colour[0], (224, 224))
    # pixel i is taken at i * size / 224, without half-pixel centres
    at = np.arange(224) * 31 / 224
    low, share = np.floor(at).astype(int), (at % 1)[:, None, None]
    high = np.minimum(low + 1, 30)
    rows = colour[0, 0, low] * (1 - share) + colour[0, 0, high] * share
    np.testing.assert_allclose(resized[0, :, 0], rows[:, 0], atol=1e-3)
    close(embedded[3:4], network(resized[None] / 255))
    close(network.embed(colour / 255), embedded[3:4])  # floats in [0, 1]
    assert network.embed(frames[:0]).shape == (0, 400)


def test_stays_float32_under_another_policy(i3d_weights):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        network = hvp.distances.I3D(i3d_weights)
        endpoints = network.endpoints(np.zeros((1, 9, 16, 16, 3), np.float32))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert {value.dtype for value in endpoints.values()} == {tf.float32}
    assert {variable.dtype for variable in network.variables} == {"float32"}
    assert not network.trainable_variables


def test_refuses_short_clips_and_wrong_shapes(network):
    with pytest.raises(UserError, match="at least 9 frames, found 8"):
        network.embed(np.zeros((1, 8, 32, 32, 3), np.uint8))
    with pytest.raises(ValueError, match="1 or 3"):
        network.embed(np.zeros((1, 9, 32, 32, 2), np.uint8))


# Weights -----------------------------------------------------------------------------------


def test_both_kinds_of_checkpoint(i3d_checkpoint, i3d_weights, tmp_path):
    plain = find_i3d_checkpoint(i3d_checkpoint / "model.ckpt")
    assert plain.source == "other"
    assert find_i3d_checkpoint(i3d_checkpoint) == plain
    assert find_i3d_checkpoint(i3d_checkpoint / "model.ckpt.index") == plain
    assert sorted(plain.file_sha256()) == ["model.ckpt.data-00000-of-00001", "model.ckpt.index"]
    weights = plain.read()
    assert weights.keys() == i3d_weights.keys()
    name = f"{NAME_PREFIX}Conv3d_1a_7x7/conv_3d/w"
    np.testing.assert_array_equal(weights[name], i3d_weights[name])

    module = tmp_path / "module"
    (module / "variables").mkdir(parents=True)
    for suffix in ("index", "data-00000-of-00001"):
        target = module / "variables" / f"variables.{suffix}"
        os.link(i3d_checkpoint / f"model.ckpt.{suffix}", target)
    assert find_i3d_checkpoint(module).source == "other"  # any SavedModel has such a folder
    (module / "saved_model.pb").write_bytes(b"")
    (module / "tfhub_module.pb").write_bytes(b"")
    network = hvp.distances.I3D(module)
    assert network.source == "hub"
    assert network.values_sha256 == values_sha256(i3d_weights)
    assert find_i3d_checkpoint(module / "variables").source == "hub"


def test_rgb_imagenet_is_known_by_its_index(shared_file, tmp_path):
    published = shared_file("weights/i3d_rgb_imagenet", "that DeepMind's index file is recognised")
    with pytest.raises(UserError) as caught:
        find_i3d_checkpoint(published, "--weights")
    message = str(caught.value)
    assert "model.ckpt.data-00000-of-00001, the file with the values, is missing" in message
    assert "https://raw.githubusercontent.com/google-deepmind/kinetics-i3d/" in message
    shutil.copy(published / "model.ckpt.index", tmp_path)
    (tmp_path / "model.ckpt.data-00000-of-00001").write_bytes(b"x" * 1000)
    checkpoint = find_i3d_checkpoint(tmp_path)
    assert checkpoint.source == "rgb_imagenet"
    with pytest.raises(UserError, match="cannot be read as a checkpoint"):  # not the values
        checkpoint.read()


def test_missing_weights_say_what_is_needed(tmp_path, monkeypatch):
    monkeypatch.delenv("HVP_I3D_WEIGHTS", raising=False)
    with pytest.raises(UserError) as caught:
        find_i3d_checkpoint(None, "--weights")
    for part in ("tfhub.dev/deepmind/i3d-kinetics-400/1", "model.ckpt.index", "--weights"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("HVP_I3D_WEIGHTS", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"^HVP_I3D_WEIGHTS .*nowhere: is not there"):
        find_i3d_checkpoint(None)
    with pytest.raises(UserError, match=r"^--weights .*: holds no checkpoint of I3D"):
        find_i3d_checkpoint(tmp_path)


def test_environment_variable_names_the_weights(i3d_checkpoint, monkeypatch):
    monkeypatch.setenv("HVP_I3D_WEIGHTS", str(i3d_checkpoint))
    assert find_i3d_checkpoint().prefix == i3d_checkpoint / "model.ckpt"


def test_another_networks_checkpoint(tmp_path, i3d_weights):
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "other"),
        tensor_names=["dense/kernel"],
        shape_and_slices=[""],
        tensors=[np.zeros(3, np.float32)],
    )
    with pytest.raises(UserError, match="is not the RGB network"):
        hvp.distances.I3D(tmp_path)
    incomplete = dict(list(i3d_weights.items())[:-1])
    with pytest.raises(UserError, match="missing RGB/inception_i3d/"):
        hvp.distances.I3D(incomplete)
