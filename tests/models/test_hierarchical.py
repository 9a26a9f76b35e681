"""Behaviour of the hierarchical model, without golden values."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_models import SMALL_HIERARCHICAL

import hvp
from hvp.config import TrainingConfig
from hvp.config.parsing import parse_config
from hvp.models.base import VideoModel
from hvp.models.hierarchical.config import parse_use_obs
from hvp.models.hierarchical.model import HierarchicalModel
from hvp.models.hierarchical.sampling import encode, frames_seen
from hvp.models.seeds import fold_in


def small_model(size=32, channels=1, **changes):
    keras.utils.set_random_seed(0)
    return HierarchicalModel(
        height=size, width=size, channels=channels, **(SMALL_HIERARCHICAL | changes)
    )


def moving_squares(videos, frames, size=32, channels=1):
    """One bright square a video, walking to the right."""
    result = np.zeros((videos, frames, size, size, channels), "float32")
    for video in range(videos):
        for frame in range(frames):
            left = (4 * video + 2 * frame) % (size - 8)
            result[video, frame, 8 * video : 8 * video + 8, left : left + 8] = 1.0
    return result


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(("size", "channels"), [(32, 1), (64, 3), (128, 1), (128, 3), (256, 1)])
def test_frame_sizes(size, channels):
    model = small_model(size, channels)
    obs = np.random.default_rng(0).random((1, 3, size, size, channels), "float32")
    assert model(obs).shape == obs.shape
    assert model.encoder.feature_size == 4 * model.encoder.convolutions[-1].filters
    prediction = model.rollout(obs, horizon=2, num_samples=2, seed=0)
    assert prediction.shape == (2, 1, 2, size, size, channels)
    assert 0 <= float(tf.reduce_min(prediction)) <= float(tf.reduce_max(prediction)) <= 1


def test_published_size_has_the_published_number_of_parameters():
    assert HierarchicalModel(channels=1).count_params() == 12650253
    assert HierarchicalModel(channels=3).count_params() == 12653583


def test_gradients_of_any_number_of_videos():
    """Also at a level of one tick, back through which no state goes."""
    model = small_model()
    clips = tf.constant(moving_squares(2, 2))

    def gradients(clips):
        with tf.GradientTape() as tape:
            loss = model.elbo(clips)["loss"]
        return tape.gradient(loss, model.trainable_variables)

    any_number = tf.TensorSpec((None, *clips.shape[1:]))
    traced = tf.function(gradients, autograph=False, input_signature=[any_number])
    for found, expected in zip(traced(clips), gradients(clips), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("eagerly")
def test_same_step_is_the_same_and_the_next_draws_other_noise():
    clips = tf.constant(moving_squares(2, 4))
    losses = []
    for _ in range(2):
        model = small_model()
        model.configure_training(TrainingConfig(learning_rate=0.0))
        losses.append([float(model.train_step(clips)["loss"]) for _ in range(2)])
    assert losses[0] == losses[1]
    assert losses[0][0] != losses[0][1]  # only the noise changed


def test_keras_fit_trains_with_the_same_step():
    model = small_model()
    model.configure_training(TrainingConfig(learning_rate=1e-3))
    data = tf.data.Dataset.from_tensor_slices(moving_squares(4, 4)).batch(2).repeat(3)
    history = model.fit(data, epochs=2, verbose=0).history
    assert int(model.optimizer.iterations) == 12
    assert history["loss"][1] < history["loss"][0]


@pytest.mark.slow
def test_any_context_length():
    """Contexts that do not fill the slow level's ticks are used as far as they go."""
    model = small_model(cell_mean_only=True)
    video = moving_squares(1, 8)
    for length in range(1, 8):
        assert model.rollout(video[:, :length], 3, seed=0).shape == (1, 1, 3, 32, 32, 1)
    five = model.open_loop(tf.constant(video[:, :5]), tf.zeros((1, 2), tf.int32), 3)
    assert [s.deter.shape[1] for s in five] == [8, 4]


@pytest.mark.usefixtures("eagerly")
def test_use_obs_withholds_observations_in_the_rollout():
    video = moving_squares(2, 4)
    blind = small_model(use_obs="FF", cell_mean_only=True)
    predictions = blind.rollout(video, 2, seed=0)[0]
    np.testing.assert_array_equal(predictions[0], predictions[1])
    seeing = small_model(use_obs="TT", cell_mean_only=True)
    predictions = seeing.rollout(video, 2, seed=0)[0]
    assert np.abs(predictions[0] - predictions[1]).max() > 1e-5


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    "switch",
    [
        "residual_encoder_cell",
        "residual_decoder_cell",
        "residual_features",
        "residual_context",
        "residual_posterior",
        "cell_mean_only",
        "cell_reset_state",
    ],
)
def test_every_switch_changes_the_result(switch):
    clips = moving_squares(2, 4)
    models = [small_model(**{switch: value}) for value in (False, True)]
    names = {v.path: v for v in models[0].trainable_variables}
    for variable in models[1].trainable_variables:
        if variable.path in names and names[variable.path].shape == variable.shape:
            variable.assign(names[variable.path])
    losses = [float(model.elbo(clips)["loss"]) for model in models]
    assert losses[0] != losses[1]


@pytest.mark.usefixtures("eagerly")
def test_posterior_share_of_the_kl_moves_the_posterior():
    clips = tf.constant(moving_squares(2, 4))
    norms = {}
    for share, detached in ((0.8, False), (0.8, True)):
        model = small_model(kl_grad_post_perc=share, kl_grad_post_detached=detached)
        with tf.GradientTape() as tape:
            loss = model.elbo(clips)["kl"]
        gradients = tape.gradient(loss, model.trainable_variables)
        posterior = [
            g
            for v, g in zip(model.trainable_variables, gradients, strict=True)
            if "cell_1/posterior_mean/kernel" in v.path
        ]
        norms[detached] = 0.0 if posterior[0] is None else float(tf.norm(posterior[0]))
    assert norms[False] > norms[True]


@pytest.mark.slow
def test_mixed_precision_trains_in_float32_variables():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = small_model()
        model.configure_training(TrainingConfig(learning_rate=1e-3))
        clips = tf.constant(moving_squares(2, 4))
        losses = [float(model.train_step(clips)["loss"]) for _ in range(10)]
        assert model.rollout(clips, 2, seed=0).dtype == tf.float32
        seen = model.reconstruct(clips, tf.zeros((len(clips), 2), tf.int32))
        assert seen.frames.dtype == tf.float32
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert all(v.dtype == "float32" for v in model.trainable_variables)
    assert losses[-1] < losses[0]


def test_frames_are_encoded_in_chunks_in_any_precision():
    clips = tf.constant(moving_squares(1, 4))
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        encoder = small_model().encoder
        whole, chunks = encoder(clips), encode(encoder, clips)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    for a, b in zip(whole, chunks, strict=True):
        assert (a.dtype, b.dtype) == (tf.bfloat16, tf.bfloat16)
        np.testing.assert_allclose(*(tf.cast(x, tf.float32) for x in (a, b)), atol=0.02)


@pytest.mark.parametrize("likelihood", ["normal", "laplace", "bernoulli", "logistic"])
def test_every_likelihood_is_the_loss_and_is_handed_out(likelihood, eagerly):
    model = small_model(likelihood=likelihood, dec_stddev=0.2)
    clips = tf.constant(moving_squares(1, 2))
    with tf.GradientTape() as tape:
        terms = model.elbo(clips, seed=(0, 0))
    gradients = tape.gradient(terms["loss"], model.trainable_variables)
    assert all(np.isfinite(g).all() for g in gradients if g is not None)
    nll = -tf.reduce_mean(model.decode(terms["states"][0]).log_prob(clips))
    assert float(terms["nll"]) == float(nll)
    frames = model.distribution(clips, 1, num_samples=2, seed=5)
    assert (frames.batch_shape, frames.event_shape) == ((2, 1, 1), (32, 32, 1))
    rollout = model.rollout(clips, 1, num_samples=2, seed=5, clip=False)
    np.testing.assert_array_equal(frames.mean(), rollout)
    assert frames.log_prob(clips[:, :1]).shape == (2, 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", ["laplace", "bernoulli", "logistic"])
def test_every_likelihood_trains(likelihood):
    model = small_model(likelihood=likelihood, dec_stddev=0.2)
    model.configure_training(TrainingConfig(learning_rate=1e-3))
    step, clips = tf.function(model.train_step, autograph=False), tf.constant(moving_squares(2, 4))
    losses = [float(step(clips)["loss"]) for _ in range(10)]
    assert losses[-1] < losses[0]


def test_likelihoods_share_their_variables_and_normal_is_what_configurations_without_one_have():
    assert parse_config({"name": "old"}, "old.yml").model.likelihood == "normal"
    normal, bernoulli = (small_model(likelihood=name) for name in ("normal", "bernoulli"))
    for ours, theirs in zip(normal.variables, bernoulli.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    names = [[v.path.split("/")[1:] for v in model.variables] for model in (normal, bernoulli)]
    assert names[0] == names[1]


@pytest.mark.usefixtures("eagerly")
def test_samples_of_a_level_are_its_posteriors():
    model = small_model()
    states = model.infer(moving_squares(2, 5), tf.constant([3, 4]))[0]
    noise = tf.random.stateless_normal((2, 5, 4), fold_in((3, 4), 0))  # one draw for all ticks
    np.testing.assert_allclose(states.posterior.from_noise(noise), states.sample, rtol=1e-6)
    one, same = (states.prior.sample(seed=(1, 2)) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert one.shape == (2, 5, 4)


def test_frames_without_a_likelihood_have_no_distribution():
    class Copy(VideoModel):
        pass

    with pytest.raises(NotImplementedError, match="Copy does not say how likely a frame is"):
        Copy(height=8, width=8).distribution(np.zeros((1, 2, 8, 8, 1), "float32"), 2)


@pytest.mark.usefixtures("eagerly")
def test_build_model_follows_the_seed(tmp_path):
    path = tmp_path / "small.yml"
    path.write_text(
        "data: {height: 32, width: 32}\nmodel:\n"
        + "".join(f"  {key}: {value}\n" for key, value in SMALL_HIERARCHICAL.items())
    )
    first, same = (hvp.build_model(hvp.load_config(path)) for _ in range(2))
    other = hvp.build_model(hvp.load_config(path, ["seed=1"]))
    for a, b in zip(first.trainable_variables, same.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(first.decoder.dense.kernel - other.decoder.dense.kernel).max() > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"height": 64, "width": 32}, "square"),
        ({"height": 48, "width": 48}, "48"),
        ({"channels": 2}, "channels"),
        ({"levels": 0}, "levels"),
        ({"beta": [1.0]}, "beta"),
        ({"use_obs": "TX"}, "TX"),
        ({"use_obs": [True]}, "use_obs"),
        ({"dec_stddev": 0.0}, "dec_stddev"),
    ],
)
def test_bad_settings_say_what_was_received(settings, message):
    with pytest.raises(ValueError, match=message):
        HierarchicalModel(**settings)


def test_parse_use_obs():
    assert parse_use_obs(True, 2) == (True, True)
    assert parse_use_obs("tf", 2) == (True, False)
    assert parse_use_obs([False, True], 2) == (False, True)


@pytest.mark.usefixtures("eagerly")
def test_frames_that_are_not_observed_change_nothing():
    """`observation_dropout`: from there on the posterior is the prior, so that the KL is 0."""
    model = small_model()
    videos = moving_squares(2, 8)
    changed = videos.copy()
    changed[0, 5:] = 0.5
    seen, seed = tf.constant([5, 8]), tf.constant([1, 2])
    for level, (one, other) in enumerate(
        zip(model.infer(videos, seed, seen), model.infer(changed, seed, seen), strict=True)
    ):
        np.testing.assert_array_equal(one.output, other.output)
        distance = np.abs(one.posterior_mean - one.prior_mean).max(-1)  # (batch, ticks)
        first = 5 // 2**level  # the slow level's third tick is not seen whole
        assert (distance[0, first:] == 0).all()
        assert (distance[0, :first] > 0).all()
        assert (distance[1] > 0).all()


@pytest.mark.usefixtures("eagerly")
def test_observations_are_dropped_while_training_only():
    videos = tf.zeros((4000, 16, 1, 1, 1))
    assert frames_seen(videos, 0.0, tf.constant([0, 1])) is None
    seen = frames_seen(videos, 0.5, tf.constant([0, 1])).numpy()
    whole = seen == 16
    assert 0.46 < whole.mean() < 0.54
    assert {seen[~whole].min(), seen[~whole].max()} == {4, 12}
    clips = tf.constant(moving_squares(2, 8))
    seed = tf.constant([1, 2])
    losses = {}
    for share in (0.0, 1.0):
        model = small_model(observation_dropout=share)
        for training in (True, False):
            scalars = model.compute_objective(clips, seed, training)[1]
            losses[share, training] = float(scalars["kl/level_0"])
    assert losses[0.0, True] == losses[0.0, False] == losses[1.0, False]
    assert losses[1.0, True] < losses[0.0, True]


@pytest.mark.usefixtures("eagerly")
def test_latents_can_start_without_much_noise():
    """With zeros to see, what the stddev layers give is what their biases say."""
    videos = np.zeros((1, 2, 32, 32, 1), "float32")
    for given, expected in ((None, np.log(2)), (0.05, 0.05)):
        cell = small_model(cell_initial_stddev=given, residual_posterior=False).cells[1]
        for head in (cell.prior_stddev, cell.posterior_stddev):
            np.testing.assert_allclose(tf.nn.softplus(head.bias), expected, rtol=1e-5)
    states = small_model(cell_initial_stddev=0.05).infer(videos, tf.constant([0, 0]))
    assert 0.02 < float(tf.reduce_mean(states[0].prior_stddev)) < 0.12
