"""Features of one's own: a function, a Keras file, a SavedModel, arrays; and the small network."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import hvp.distances.small_network as small
from hvp.__main__ import main
from hvp.distances.embedding import check_embedding, load_embedding, read_features
from hvp.errors import UserError
from hvp.files import file_sha256

CLIPS = np.random.default_rng(0).integers(0, 256, (3, 4, 8, 8, 1), np.uint8)


def brightness(videos):
    """A feature function: brightness of both halves."""
    halves = np.split(np.asarray(videos), 2, axis=2)
    return np.stack([half.mean((1, 2, 3, 4)) for half in halves], 1)


def failing(videos):
    raise RuntimeError("no such\nlayer")


def flat(videos):
    return np.asarray(videos).reshape(-1)


def test_a_function():
    network = load_embedding(f"{__name__}:brightness")
    np.testing.assert_allclose(network.embed(CLIPS), brightness(CLIPS / 255), rtol=1e-5)
    assert network.values_sha256 != load_embedding(f"{__name__}:flat").values_sha256


def test_a_keras_file_and_a_saved_model(tmp_path):
    inputs = keras.Input((None, 8, 8, 1))
    outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling3D()(inputs))
    model = keras.Model(inputs, outputs)
    expected = model(CLIPS / np.float32(255)).numpy()
    model.save(tmp_path / "net.keras")
    model.export(tmp_path / "exported", verbose=False)
    for name in ("net.keras", "exported"):
        network = load_embedding(str(tmp_path / name))
        np.testing.assert_allclose(network.embed(CLIPS), expected, atol=1e-5)
        assert network.sha256

    class Function(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None, 8, 8, 1])])
        def __call__(self, frames):
            return tf.reduce_mean(frames, (1, 2, 3))

    tf.saved_model.save(Function(), str(tmp_path / "callable"))
    found = load_embedding(str(tmp_path / "callable")).embed(CLIPS)
    np.testing.assert_allclose(found[:, 0], (CLIPS / 255).mean((1, 2, 3, 4)), rtol=1e-5)


def test_a_keras_file_brings_no_code_of_its_own(tmp_path):
    inputs = keras.Input((None, 8, 8, 1))
    outputs = keras.layers.Lambda(lambda x: tf.reduce_mean(x, (1, 2, 3)))(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "net.keras")
    with pytest.raises(UserError, match=r"net.keras: cannot be loaded: .*"):
        load_embedding(str(tmp_path / "net.keras"))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("inception", "there is no such thing; valid: i3d, small"),
        ("absent.keras", "there is no such thing"),
        ("no.such.module:embed", "cannot be loaded: No module named"),
        (f"{__name__}:absent", "cannot be loaded"),
    ],
)
def test_what_is_not_there(spec, message):
    with pytest.raises(UserError, match=message):
        load_embedding(spec)


def test_what_is_not_there_is_known_before_anything_is_imported():
    check_embedding("small", None)
    check_embedding("no.such.module:embed", None)  # which is not imported yet
    with pytest.raises(UserError, match="there is no such thing"):
        check_embedding("inception", None)


def test_functions_that_fail_or_give_something_else():
    with pytest.raises(UserError, match=r"failed on clips \(3, 4, 8, 8, 1\): no such layer"):
        load_embedding(f"{__name__}:failing").embed(CLIPS)
    with pytest.raises(UserError, match=r"gave \(768,\) for 3 clips"):
        load_embedding(f"{__name__}:flat").embed(CLIPS)


def test_the_small_network_is_the_one_that_was_trained():
    network = small.SmallVideoNetwork()
    assert small.WEIGHTS.stat().st_size < 2**20
    found = network.embed(np.repeat(CLIPS, 4, 2).repeat(4, 3))
    assert found.shape == (3, small.NUM_FEATURES)
    assert found.std(0).min() > 0
    # grey is RGB, floats are bytes, batches do not matter
    np.testing.assert_allclose(network.embed(CLIPS.repeat(3, -1)), network.embed(CLIPS), atol=1e-5)
    floats = network.embed(CLIPS / np.float32(255))
    np.testing.assert_allclose(floats, network.embed(CLIPS), atol=1e-5)
    np.testing.assert_allclose(network.embed(CLIPS[1:2]), network.embed(CLIPS)[1:2], atol=1e-5)
    with pytest.raises(UserError, match="at least 4 frames, found 3"):
        network.embed(CLIPS[:, :3])


def test_the_small_network_sees_motion():
    """The same frames in another order are other features."""
    random = np.random.default_rng(0)
    start = random.integers(0, 20, 12)
    clips = np.zeros((12, 16, 32, 32, 1), np.uint8)
    for clip, x in zip(clips, start, strict=True):
        for t in range(16):
            clip[t, 10:16, (x + t) % 26 : (x + t) % 26 + 6] = 200
    network = small.SmallVideoNetwork()
    shuffled = clips[:, random.permutation(16)]
    within = np.linalg.norm(network.embed(clips[:6]).mean(0) - network.embed(clips[6:]).mean(0))
    across = np.linalg.norm(network.embed(clips).mean(0) - network.embed(shuffled).mean(0))
    assert across > 2 * within


def saved(path, features):
    np.savez(path, features=features)
    return str(path)


def test_features_computed_elsewhere(tmp_path, capsys):
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(40, 3)), random.normal(size=(40, 3)) + 1
    paths = [saved(tmp_path / f"{n}.npz", f) for n, f in (("real", real), ("fake", fake))]
    command = ["fvd", "--real", paths[0], "--fake", paths[1]]
    assert main([*command, "--extrapolate"]) == 0
    record = json.loads((tmp_path / "fake.json").read_text())
    assert record["metric"] == "frechet_distance_of_features_40"
    assert record["value"] == pytest.approx(3, abs=1.5)
    assert abs(record["extrapolated"]["value"] - 3) < 1.5
    assert record["kernel_distance"]["value"] > 2 * record["kernel_distance"]["stddev"]
    assert record["neighbourhoods"]["precision"] < 1
    assert (tmp_path / "fake.png").is_file()
    assert "warning: 40 videos are few" in capsys.readouterr().err
    assert main([*command, "--resolution", "8x8"]) == 2
    assert main(["fvd", "--real", paths[0], "--fake", str(tmp_path)]) == 2
    assert "both must be .npz files" in capsys.readouterr().err


def test_damaged_features(tmp_path):
    np.savez(tmp_path / "other.npz", values=np.zeros((4, 2)))
    np.savez(tmp_path / "object.npz", features=np.array([{"a": 1}], dtype=object))
    np.savez(tmp_path / "nan.npz", features=np.full((4, 2), np.nan))
    for name in ("other", "object", "absent"):
        with pytest.raises(UserError, match=f"{name}.npz: holds no array `features`"):
            read_features(tmp_path / f"{name}.npz")
    with pytest.raises(UserError, match="must be finite"):
        read_features(tmp_path / "nan.npz")


def test_the_command_on_the_small_network_and_on_a_function(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HVP_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("real", "fake"):
        (tmp_path / name).mkdir()
        for number in range(6):
            np.save(tmp_path / name / f"{number}.npy", CLIPS[number % 3])
    command = ["fvd", "--real", str(tmp_path / "real"), "--fake", str(tmp_path / "fake")]
    assert main([*command, "--protocol", "fvd6_4f", "--features", "small"]) == 0
    record = json.loads((tmp_path / "fake_fvd6_4f_small.json").read_text())
    assert record["metric"] == "fvd6_4f_small"
    assert record["value"] == pytest.approx(0, abs=1e-6)
    assert "compares with no other" in record["embedding"]
    assert record["neighbourhoods"]["coverage"] == 1
    own = f"{__name__}:brightness"
    assert main([*command, "--protocol", "fvd6_2f", "--features", own]) == 0
    (path,) = tmp_path.glob("fake_fvd6_2f_features_*.json")
    assert own in json.loads(path.read_text())["embedding"]
    assert "6 videos are few for FVD" in capsys.readouterr().err
    assert main([*command, "--protocol", "fvd6_3f", "--features", "small"]) == 2
    assert "at least 4 frames, found 3" in capsys.readouterr().err


def test_the_shipped_weights_are_those_of_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "distances.md").read_text("utf-8")
    assert file_sha256(small.WEIGHTS) in page
