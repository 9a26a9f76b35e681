"""Published TensorFlow 1 checkpoints become experiments."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml

import hvp
from hvp.__main__ import main
from hvp.errors import UserError
from hvp.experiment.checkpoints import load_experiment
from hvp.named_weights import assign_by_name


@pytest.fixture(scope="session")
def tf1_checkpoint(golden, tmp_path_factory):
    """A folder as the original writes them: seeded weights, Adam's state, a flat configuration."""
    values = golden("seeded/hierarchical_residual")
    tensors = {"step": np.int32(8), "optimizer/Adam/iter": np.int64(8)}
    for name, value in (("learning_rate", 1e-3), ("beta_1", 0.9), ("beta_2", 0.999), ("decay", 0)):
        tensors[f"optimizer/Adam/{name}"] = np.float32(value)
    for name, weight in values.weights.items():
        tensors[name] = weight
        tensors[f"optimizer/Adam/{name}/m"] = 0.01 * weight
        tensors[f"optimizer/Adam/{name}/v"] = np.square(0.01 * weight)
    folder = tmp_path_factory.mktemp("tf1")
    (folder / "model").mkdir()
    tf.raw_ops.SaveV2(
        prefix=str(folder / "model/model.ckpt"),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=list(tensors.values()),
    )
    (folder / "model/checkpoint").write_text(
        'model_checkpoint_path: "model.ckpt"\nall_model_checkpoint_paths: "model.ckpt"\n'
    )
    ours_alone = ("model", "base_filters", "decoder_dense")
    config = {key: value for key, value in values.config.items() if key not in ours_alone}
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture
def checkpoint(tf1_checkpoint, tmp_path):
    return Path(shutil.copytree(tf1_checkpoint, tmp_path / "published"))


def import_into(tmp_path, checkpoint, *extra):
    return main(
        [
            "import-weights",
            "--checkpoint",
            str(checkpoint),
            "--logdir",
            str(tmp_path / "logs"),
            *extra,
        ]
    )


def test_imported_experiment_predicts_as_the_original(checkpoint, tmp_path, golden, capsys):
    assert import_into(tmp_path, checkpoint / "model") == 0
    assert "logs/mmnist" in capsys.readouterr().out
    config, model, step = load_experiment(tmp_path / "logs/mmnist/model")
    assert step == 8
    data = config.data
    assert (data.dataset, data.channels, data.seq_len) == ("moving_mnist", 1, 12)
    assert (config.evaluation.context, config.training.learning_rate) == (8, 1e-3)
    assert config.model.residual_posterior
    values = golden("seeded/hierarchical_residual")
    assert_predicts(model, values["inputs_video"] / np.float32(255), values["outputs_open_loop"])


def test_a_checkpoint_that_the_original_wrote(shared_file, tmp_path, golden):
    checkpoint = shared_file("golden/tf1_checkpoint", "that TensorFlow 1's own files are read")
    assert import_into(tmp_path, checkpoint) == 0
    _, model, _ = load_experiment(tmp_path / "logs/mmnist/model")
    values = golden("shared/hierarchical_residual")
    expected = values["outputs/open_loop/ctx8/prior_multistep"]
    assert_predicts(model, values["inputs/obs"], expected)


def assert_predicts(model, videos, expected):
    prediction = model.rollout(videos[:, :8], expected.shape[1], seed=0, clip=False)[0]
    assert np.abs(prediction - expected).max() <= 1e-4 * np.abs(expected).max()


def test_config_of_ours_or_the_original(checkpoint, tmp_path):
    original = checkpoint / "config.yml"
    assert import_into(tmp_path, checkpoint, "--config", str(original), "--set", "name=a") == 0
    ours = tmp_path / "logs/a/config.yml"
    assert import_into(tmp_path, checkpoint, "--config", str(ours), "--set", "name=b") == 0
    first, second = (load_experiment(tmp_path / "logs" / name)[1] for name in "ab")
    np.testing.assert_array_equal(first.decoder.dense.kernel, second.decoder.dense.kernel)


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (["--set", "model.cell_deter_size=8"], "gru_cell/bias has shape (2, 48)"),
        (["--set", "model.residual_context=false"], "unexpected scan/while/cell_2/dense_"),
        (["--set", "model.levels=4"], "missing scan_3/while/cell_0/dense_"),
        (["--config", "nothing.yml"], "nothing.yml: no such configuration file"),
    ],
)
def test_what_does_not_fit_is_named(checkpoint, tmp_path, capsys, extra, expected):
    assert import_into(tmp_path, checkpoint, *extra) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert expected in message
    assert not list(tmp_path.glob("logs/*/model/*.index"))


def test_damaged_and_missing_checkpoints(checkpoint, tmp_path, capsys):
    data = next((checkpoint / "model").glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:1000])
    assert import_into(tmp_path, checkpoint) == 2
    assert "model.ckpt" in capsys.readouterr().err
    assert import_into(tmp_path, tmp_path / "nowhere") == 2
    assert "no such checkpoint" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert import_into(tmp_path, tmp_path / "empty") == 2
    assert "no checkpoint there" in capsys.readouterr().err


def test_an_experiment_is_not_overwritten(checkpoint, tmp_path, capsys):
    assert import_into(tmp_path, checkpoint) == 0
    assert import_into(tmp_path, checkpoint) == 2
    assert "already holds a trained model" in capsys.readouterr().err


def test_unknown_family_and_every_problem_at_once():
    with pytest.raises(UserError, match="hierarchical_residual, clockwork_vae"):
        hvp.weights.from_reference({"model": "unknown"}, {})
    variables = {"a": np.zeros((2,)), "b": np.zeros((3,))}
    with pytest.raises(UserError, match=r"missing a; unexpected c; b has shape \(4,\)"):
        assign_by_name(variables, {"b": np.zeros((4,)), "c": np.zeros(())})


@pytest.mark.parametrize("family", ["sdfnet", "motion_gan"])
def test_a_configuration_of_another_family(family, tmp_path, capsys):
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "model.ckpt"),
        tensor_names=["a/kernel"],
        shape_and_slices=[""],
        tensors=[tf.zeros(3)],
    )
    config = tmp_path / "mine.yml"
    config.write_text(f"data: {{channels: 3, seq_len: 16}}\nmodel: {{family: {family}}}\n")
    assert import_into(tmp_path, tmp_path / "model.ckpt", "--config", str(config)) == 2
    error = capsys.readouterr().err
    assert f"but {config} is of the family {family}" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "logs").exists()
