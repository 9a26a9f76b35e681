"""SimVP's translators, ConvLSTM and SVG-LP against the original networks.

Tolerances: 1e-5 of the largest output, 1e-5 of losses and 1e-4 of each gradient norm; what was seen
is below 3e-6 and 9e-5 (float32 on both sides). Norms below 1e-6 are rounding: biases before a batch
normalisation. SVG-LP's code, `encoder.c5`, is normalised over the two values that a channel has in
the golden's batch: a gradient through that is what two terms leave that are larger by variance /
epsilon, some 1e5. Computed in float64 it is the golden's to 4e-5; in float32 4e-4 was seen.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import hvp
from hvp.weights import convlstm, simvp, svg_lp

SMALLEST_NORM = 1e-6
NORMALISED_OVER_TWO = {"encoder.c5.0.weight": 1e-3}


def channels_last(videos):
    return np.moveaxis(videos, 2, -1)


def assert_near(actual, expected):
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def assert_gradient_norms(model, gradients, names, golden, module):
    """Every norm of the original is compared; what has none of ours is unused there."""
    pairs = zip(model.trainable_variables, gradients, strict=True)
    norms = {id(variable): float(tf.norm(gradient)) for variable, gradient in pairs}
    compared = set()
    for name, expected in golden.json("grad_norms").items():
        if name not in names:
            assert module.is_unused("", name), name
            assert expected == 0, name
            continue
        compared.add(id(names[name].variable))
        if expected > SMALLEST_NORM:
            assert norms[id(names[name].variable)] == pytest.approx(
                expected, rel=NORMALISED_OVER_TWO.get(name, 1e-4)
            ), name
    assert compared == set(norms)


@pytest.mark.parametrize("translator", ["gsta", "tau", "convmixer", "incepu"])
def test_simvp(golden, translator):
    values = golden(f"seeded/simvp_{translator}")
    model = hvp.weights.from_reference(values.config, values.weights)
    context, target = np.split(values["inputs_video"] / np.float32(255), 2, axis=1)
    assert_near(model(context, training=False), channels_last(values["outputs_eval"]))
    with tf.GradientTape() as tape:
        predicted = model(context, training=True)
        loss = tf.reduce_mean(tf.square(predicted - target))
    assert_near(predicted, channels_last(values["outputs_train"]))
    assert float(loss) == pytest.approx(float(values["loss"]), rel=1e-5)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert_gradient_norms(model, gradients, simvp.targets(model), values, simvp)


def test_convlstm(golden):
    values = golden("seeded/convlstm")
    model = hvp.weights.from_reference(values.config, values.weights)
    videos = values["inputs_video"] / np.float32(255)
    context = values.config["pre_seq_length"]
    expected = patches_to_frames(values["outputs_next_frames"], values.config["patch_size"])
    shown = np.ones((len(videos), videos.shape[1] - 1), np.float32)
    shown[:, context:] = 0
    with tf.GradientTape() as tape:
        predicted = model(videos, shown=shown)
        loss = tf.reduce_mean(tf.square(predicted - videos[:, 1:]))
    assert_near(predicted, expected)
    assert float(loss) == pytest.approx(float(values["loss"]), rel=1e-5)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert_gradient_norms(model, gradients, convlstm.targets(model), values, convlstm)
    horizon = videos.shape[1] - context
    later = model.rollout(videos[:, :context], horizon, clip=False)[0]
    assert_near(later, expected[:, context - 1 :])


def patches_to_frames(patches, size):
    """`(batch, time, h, w, size * size)` of grey videos to `(batch, time, H, W, 1)`."""
    batch, time, height, width, _ = patches.shape
    x = patches.reshape(batch, time, height, width, size, size).transpose(0, 1, 2, 4, 3, 5)
    return x.reshape(batch, time, height * size, width * size, 1)


def test_svg_lp(golden):
    values = golden("seeded/svg_lp")
    model = hvp.weights.from_reference(values.config, values.weights)
    statistics = [np.asarray(v) for v in model.non_trainable_variables]
    videos = values["inputs_video"] / np.float32(255)
    noise = np.moveaxis(values["inputs_eps"], 0, 1)
    with tf.GradientTape() as tape:
        bound = model.elbo(videos, noise=noise)
    assert_near(bound.decoded, channels_last(values["outputs_train"]))
    assert float(bound.mse) == pytest.approx(float(values["mse"]), rel=1e-5)
    assert float(bound.kl) == pytest.approx(float(values["kld"]), rel=1e-5)
    assert float(bound.loss) == pytest.approx(float(values["loss"]), rel=1e-5)
    gradients = tape.gradient(bound.loss, model.trainable_variables)
    assert_gradient_norms(model, gradients, svg_lp.targets(model), values, svg_lp)
    for variable, value in zip(model.non_trainable_variables, statistics, strict=True):
        variable.assign(value)
    generated = model.open_loop(videos[:, : values.config["n_past"]], noise)
    assert_near(generated, channels_last(values["outputs_generated"]))
