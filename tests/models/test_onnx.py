"""ONNX: what a runtime computes is what we compute, and what ONNX cannot hold is said.

Needs onnx, tf2onnx and onnxruntime, which hvp does not.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from test_contract import experiment

import hvp
from hvp.errors import UserError
from hvp.models.seeds import example_seeds

onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
pytest.importorskip("tf2onnx", reason="needs tf2onnx")


@pytest.fixture(autouse=True)
def in_graphs():
    tf.config.run_functions_eagerly(False)


def model_of(family):
    return hvp.build_model(experiment(family))


def test_a_runtime_predicts_the_same(tmp_path):
    model = model_of("simvp")
    path = tmp_path / "simvp.onnx"
    model.export(path, format="onnx", horizon=3, batch_size=2)
    context = np.random.default_rng(0).uniform(size=(2, model.min_context, *model.frame_shape))
    given = {"context": context.astype(np.float32), "seed": np.array([1, 2], np.int32)}
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (frames,) = session.run(None, {i.name: given[i.name] for i in session.get_inputs()})
    seeds = example_seeds(tf.constant(given["seed"]), 2)
    ours = model.samples(tf.constant(given["context"]), 3, 1, seeds, None)
    np.testing.assert_allclose(frames, ours, atol=1e-5)


@pytest.mark.parametrize(
    ("family", "operation"), [("svg_lp", "StatelessRandomNormalV2"), ("convlstm", "TensorList")]
)
def test_what_onnx_cannot_hold_is_one_line_and_leaves_no_file(family, operation, tmp_path, caplog):
    path = tmp_path / "model.onnx"
    with pytest.raises(UserError, match=rf"onnx cannot hold .*ONNX has no .*{operation}") as caught:
        model_of(family).export(path, format="onnx", horizon=3, batch_size=1)
    assert "\n" not in str(caught.value)
    assert not path.exists()
    assert not caplog.records
