"""SDFNet and DFDNet against the original networks, in inference and in training mode.

Tolerances, from golden/README.md: the originals' own float32 noise is 7e-5 for SDFNet and 5e-5 for
DFDNet on outputs of standard deviation 0.6 and 1.2; 2e-4 of the standard deviation allows for it.
Gradient norms of convolutions before batch normalisation carry 1 % of noise in the original.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import hvp
from hvp.errors import UserError
from hvp.weights import frequency_nets


def channels_last(videos):
    return np.transpose(videos, (0, 1, 3, 4, 2))


@pytest.fixture(scope="module", params=["sdfnet", "dfdnet"])
def reference(request, golden):
    values = golden(request.param)
    return values, hvp.weights.from_reference(values.config, values.weights)


def assert_near(actual, expected, what):
    expected = channels_last(expected)
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= 2e-4 * expected.std(), what


def test_prediction(reference):
    golden, model = reference
    predicted = model(channels_last(golden["inputs/x"]), training=False)
    assert_near(predicted, golden["outputs/y_eval"], "inference")


def test_training_mode_and_gradients(reference):
    golden, model = reference
    state = [np.asarray(v) for v in model.non_trainable_variables]

    @tf.function
    def run(x, target):
        with tf.GradientTape() as tape:
            predicted = model(x, training=True)
            loss = tf.reduce_mean(tf.square(predicted - target))
        return predicted, tape.gradient(loss, model.trainable_variables)

    predicted, gradients = run(
        channels_last(golden["inputs/x"]), channels_last(golden["inputs/target"])
    )
    for variable, value in zip(model.non_trainable_variables, state, strict=True):
        variable.assign(value)  # the next test finds the stored statistics
    assert_near(predicted, golden["outputs/y_train"], "training mode")
    by_id = {
        id(v): 0.0 if g is None else float(tf.norm(g))
        for v, g in zip(model.trainable_variables, gradients, strict=True)
    }
    compared = 0
    for name, (variable, _) in frequency_nets.targets(model).items():
        key = f"outputs/grad_norms/{name}"
        if key in golden and float(golden[key]) > 1e-6:
            assert by_id[id(variable)] == pytest.approx(float(golden[key]), rel=0.01), name
            compared += 1
    assert compared > 100


def test_a_pytorch_checkpoint_may_count_batches(golden):
    golden = golden("sdfnet")
    weights = {**golden.weights, "hid1.net.stem.0.bn.num_batches_tracked": np.array(3)}
    hvp.weights.from_reference(golden.config, weights)


def test_what_does_not_fit_is_listed(golden):
    golden = golden("sdfnet")
    weights = dict(golden.weights)
    weights["more"] = weights.pop("dec.readout.bias")
    weights["dec.readout.weight"] = np.zeros((2, 16, 1, 1), np.float32)
    with pytest.raises(UserError) as caught:
        hvp.weights.from_reference(golden.config, weights)
    for part in ("missing dec.readout.bias", "unexpected more", "dec.readout.weight has shape"):
        assert part in str(caught.value)
