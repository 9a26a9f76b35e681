"""The hierarchical residual model and Clockwork VAE against the original networks.

Tolerance: 1e-4 of the largest value compared, as the goldens are float32 runs of another TensorFlow
on another machine; what is measured is about 3e-6.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from run_files import eager_functions

import hvp
from hvp.models.hierarchical.encoder import ResidualCell
from hvp.weights.hierarchical import original_names

TOLERANCE = 1e-4
LEVELS, FACTOR, FRAMES = 3, 2, 11
CASES = (
    "beta",
    "beta_list_free_nats",
    "free_nats",
    "kl_grad_post_perc",
    "kl_grad_post_perc_floor",
    "no_padding",
    "reset_states",
    "use_obs_FFF",
    "use_obs_TTF",
)


def assert_close(actual, expected, what):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, what
    scale = max(np.abs(expected).max(), 1e-12)
    assert np.abs(actual - expected).max() <= TOLERANCE * scale, what


RESIDUAL = "shared/hierarchical_residual"  # by default, `seeded` is held to residual parts


@pytest.fixture(
    scope="module", params=["clockwork_vae", pytest.param(RESIDUAL, marks=pytest.mark.slow)]
)
def reference(request, golden):
    values = golden(request.param)
    return values, hvp.weights.from_reference(values.config, values.weights)


@pytest.fixture(scope="module")
def seeded(golden):
    values = golden("seeded/hierarchical_residual")
    return values, hvp.weights.from_reference(values.config, values.weights)


def differentiate(model, obs):
    """Terms of the bound and the gradients."""
    with tf.GradientTape() as tape:
        terms = model.elbo(tf.convert_to_tensor(obs))
    return terms, tape.gradient(terms["loss"], model.trainable_variables)


@pytest.fixture(scope="module")
def differentiated(reference):
    """In graph mode, as in training; single settings are run eagerly, which is quick."""
    golden, model = reference
    return tf.function(differentiate, autograph=False)(model, golden["inputs/obs"])


def assert_terms(golden, prefix, terms, gradients):
    assert f"{prefix}outputs/loss" in golden
    for ours, theirs in (("loss", "loss"), ("nll", "nll_term"), ("kl", "kl_term")):
        if f"{prefix}outputs/{theirs}" in golden:
            assert_close(terms[ours], golden[f"{prefix}outputs/{theirs}"], f"{prefix} {ours}")
    if f"{prefix}outputs/grad_norm" in golden:
        norm = tf.linalg.global_norm(gradients)
        assert_close(norm, golden[f"{prefix}outputs/grad_norm"], f"{prefix} gradient norm")


def assert_levels(golden, prefix, states):
    """Compares the distributions of all levels that the golden file has; returns how many."""
    compared = 0
    for level, s in enumerate(states):
        for name, ours in {
            f"prior/level{level}/mean": s.prior_mean,
            f"prior/level{level}/stddev": s.prior_stddev,
            f"posterior/level{level}/mean": s.posterior_mean,
            f"posterior/level{level}/stddev": s.posterior_stddev,
            f"posterior/level{level}/output": s.output,
            f"posterior/level{level}/det_out": s.deter,
        }.items():
            if f"{prefix}outputs/{name}" in golden:
                assert_close(ours, golden[f"{prefix}outputs/{name}"], f"{prefix}{name}")
                compared += 1
    return compared


def test_layers_of_the_first_frame(reference):
    golden, model = reference
    x = golden["inputs/obs"][:1, 0]
    assert len(model.encoder.convolutions) == 4
    for i, convolution in enumerate(model.encoder.convolutions):
        x = convolution(x)
        assert_close(x[0], golden[f"outputs/layers/encoder/h{i + 1}_conv"], f"convolution {i}")
        if i == 0 and model.encoder.residual_cell is not None:
            assert isinstance(model.encoder.residual_cell, ResidualCell)
            x = model.encoder.residual_cell(x)
            assert_close(x[0], golden["outputs/layers/encoder/residual_cell"], "residual cell")


def test_features_of_every_level(reference):
    golden, model = reference
    levels = model.encoder(tf.constant(golden["inputs/obs"]))
    assert len(levels) == LEVELS
    for level, features in enumerate(levels):
        assert_close(features, golden[f"outputs/encoder/level{level}/merged"], f"level {level}")


def test_reconstruction_and_bound(reference, differentiated):
    golden, model = reference
    terms, gradients = differentiated
    assert assert_levels(golden, "", terms["states"]) == LEVELS * 6
    assert_terms(golden, "", terms, gradients)
    assert_close(terms["decoded"], golden["outputs/decoded"], "decoded frames")
    assert_close(model(golden["inputs/obs"]), golden["outputs/decoded"], "model(obs)")
    for level in range(LEVELS):
        summary = golden[f"outputs/summary/avg_kl_prior_posterior__level_{level}"]
        assert_close(terms["kl_per_level"][level], summary, f"KL of level {level}")


def test_gradient_of_every_variable(reference, differentiated):
    golden, model = reference
    _, gradients = differentiated
    by_id = {id(v): g for v, g in zip(model.trainable_variables, gradients, strict=True)}
    ours = [float(tf.norm(by_id[id(variable)])) for _, variable in original_names(model)]
    order = json.loads(str(golden["meta"]))["variable_order"]
    assert [name for name, _ in original_names(model)] == order
    assert_close(ours, golden["outputs/grad_norm_per_variable"], "gradient norms")


def test_reported_scalars(reference):
    golden, model = reference
    _, scalars = model.compute_objective(golden["inputs/obs"], tf.constant([0, 0]), training=False)
    for level in range(LEVELS):
        for kind in ("prior", "posterior"):
            assert_close(
                scalars[f"{kind}_entropy/level_{level}"],
                golden[f"outputs/summary/avg_entropy_{kind}__level_{level}"],
                f"{kind} entropy of level {level}",
            )


@pytest.mark.parametrize("context", [4, 8])
def test_open_loop(reference, context):
    golden, model = reference
    obs, horizon = golden["inputs/obs"], FRAMES - context
    prefix = f"outputs/open_loop/ctx{context}"
    states = model.open_loop(tf.constant(obs[:, :context]), tf.zeros((2, 2), tf.int32), horizon)
    for level, s in enumerate(states):
        ticks = context // FACTOR**level
        observed = f"{prefix}/posteriors/level{level}"
        assert_close(s.posterior_mean[:, :ticks], golden[f"{observed}/mean"], observed)
        assert_close(s.posterior_stddev[:, :ticks], golden[f"{observed}/stddev"], observed)
        onestep = f"{prefix}/priors_onestep/level{level}"
        assert_close(s.prior_mean[:, :ticks], golden[f"{onestep}/mean"], onestep)
        multistep = f"{prefix}/priors_multistep/level{level}"
        assert_close(s.posterior_mean[:, ticks:], golden[f"{multistep}/mean"], multistep)
        assert_close(s.posterior_stddev[:, ticks:], golden[f"{multistep}/stddev"], multistep)
        assert_close(s.deter[:, ticks:], golden[f"{multistep}/det_out"], multistep)
    if f"{prefix}/posterior_recon" in golden:
        reconstruction = model.decode(states[0]).mean()[:, :context]
        assert_close(reconstruction, golden[f"{prefix}/posterior_recon"], "reconstruction")
    prediction = model.rollout(obs[:, :context], horizon, seed=0, clip=False)[0]
    assert_close(prediction, golden[f"{prefix}/prior_multistep"], "prediction")


@pytest.mark.parametrize("case", CASES)
def test_settings(reference, case):
    golden, _ = reference
    prefix = f"cases/{case}/"
    overrides = json.loads(str(golden[f"{prefix}overrides"]))
    model = hvp.weights.from_reference({**golden.config, **overrides}, golden.weights)
    obs = golden["inputs/obs"][:, : int(golden[f"{prefix}num_frames"])]
    terms, gradients = differentiate(model, obs)
    assert_terms(golden, prefix, terms, gradients)
    levels = assert_levels(golden, prefix, terms["states"])
    assert levels == (LEVELS * 6 if case in ("no_padding", "reset_states") else 0)
    predictions = [
        c for c in (4, 8) if f"{prefix}outputs/open_loop/ctx{c}/prior_multistep" in golden
    ]
    assert bool(predictions) == (case in ("no_padding", "use_obs_FFF", "use_obs_TTF"))
    for context in predictions:
        expected = golden[f"{prefix}outputs/open_loop/ctx{context}/prior_multistep"]
        with eager_functions():
            ours = model.rollout(obs[:, :context], expected.shape[1], seed=0, clip=False)[0]
        assert_close(ours, expected, f"{case} context {context}")


def test_residual_model_with_seeded_weights(seeded):
    golden, model = seeded
    obs = golden["inputs_video"] / np.float32(255)
    terms, gradients = differentiate(model, obs)
    assert_close(terms["decoded"], golden["outputs_obs_decoded"], "decoded frames")
    assert float(terms["loss"]) == pytest.approx(float(golden["loss"]), rel=TOLERANCE)
    context = golden.config["open_loop_ctx"]
    expected = golden["outputs_open_loop"]
    prediction = model.rollout(obs[:, :context], expected.shape[1], seed=0, clip=False)[0]
    assert_close(prediction, expected, "prediction")
    norms = golden.json("grad_norms")
    by_id = {id(v): g for v, g in zip(model.trainable_variables, gradients, strict=True)}
    ours = {name: float(tf.norm(by_id[id(v)])) for name, v in original_names(model)}
    assert ours.keys() == norms.keys()
    assert_close([ours[name] for name in norms], list(norms.values()), "gradient norms")
