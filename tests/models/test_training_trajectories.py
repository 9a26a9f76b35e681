"""The first updates of SDFNet, DFDNet and the motion GAN follow the originals'.

Their losses and gradients at the seeded weights are recorded from the originals; what their
optimizers make of gradients is PyTorch's arithmetic, written out here in float64 (and recorded in
`data/golden/onecycle.json`, see `test_schedules.py`). The hierarchical model's trajectories are in
`test_hierarchical_training_parity.py`, the synthesis network's in
`fusion/test_fusion_training_parity.py`.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import hvp
from hvp.config import TrainingConfig
from hvp.models import MotionGAN
from hvp.models.motion_gan.examples import made_examples, real_examples
from hvp.models.seeds import fold_in
from hvp.training.schedules import make_schedule
from hvp.weights import frequency_nets

STEPS = 3
HIGHEST, TOTAL = 1e-3, 10


class PyTorchAdam:
    """`torch.optim.Adam` in float64."""

    def __init__(self, beta_2, epsilon):
        self.beta_2, self.epsilon, self.count = beta_2, epsilon, {}
        self.m, self.v = {}, {}

    def update(self, key, value, gradient, rate, beta_1):
        gradient = np.asarray(gradient, np.float64)
        t = self.count[key] = self.count.get(key, 0) + 1
        self.m[key] = beta_1 * self.m.get(key, 0.0) + (1 - beta_1) * gradient
        self.v[key] = self.beta_2 * self.v.get(key, 0.0) + (1 - self.beta_2) * gradient**2
        root = np.sqrt(self.v[key]) / np.sqrt(1 - self.beta_2**t) + self.epsilon
        return value - rate / (1 - beta_1**t) * self.m[key] / root


@pytest.mark.parametrize("family", ["sdfnet", "dfdnet"])
def test_frequency_nets(golden, family):
    """Loss and gradient norms of the first update; losses, rates and variables of three."""
    values = golden(f"seeded/{family}")
    model = hvp.weights.from_reference(values.config, values.weights)
    model.losses_by_name = {"mse": (1.0, lambda t, p: tf.reduce_mean(tf.square(t - p)))}
    training = TrainingConfig(
        learning_rate=HIGHEST, schedule="onecycle", cycle_momentum=True, adam_epsilon=1e-8,
        clip_norm=None,
    )  # fmt: skip
    schedule = make_schedule(training, TOTAL)
    model.configure_training(training, schedule)
    clips = tf.constant(values["inputs_video"].astype(np.float32) / 255.0)
    recorded, adam = values.json("grad_norms"), PyTorchAdam(0.999, 1e-8)
    named = {name: target.variable for name, target in frequency_nets.targets(model).items()}
    named = {name: v for name, v in named.items() if v.trainable}

    @tf.function(autograph=False)
    def gradients_of(clips):
        with tf.GradientTape() as tape:
            loss, _ = model.compute_objective(clips, tf.constant([0, 0]), training=True)
        return loss, tape.gradient(
            loss, list(named.values()), unconnected_gradients=tf.UnconnectedGradients.ZERO
        )

    step = tf.function(model.train_step, autograph=False)
    for count in range(STEPS):
        statistics = [np.asarray(v) for v in model.non_trainable_variables]
        loss, found = gradients_of(clips)
        found = dict(zip(named, map(np.asarray, found), strict=True))
        for variable, value in zip(model.non_trainable_variables, statistics, strict=True):
            variable.assign(value)  # the step itself moves them
        if count == 0:
            assert float(loss) == pytest.approx(float(values["loss"]), rel=1e-4)
            norms = {name: float(np.linalg.norm(found[name])) for name in found}
            telling = [name for name in recorded if recorded[name] > 1e-6 and name in norms]
            assert len(telling) > 100
            # Recorded in float64; a few bins beside DFDNet's thresholds pass in float32 or do not.
            wrong = {
                name: (norms[name], recorded[name])
                for name in telling
                if norms[name] != pytest.approx(recorded[name], rel=0.02)
            }
            assert not wrong
        before = {name: np.asarray(v, np.float64) for name, v in named.items()}
        scalars = step(clips)
        assert float(scalars["loss"]) == pytest.approx(float(loss), rel=1e-4)
        total = np.sqrt(sum(np.sum(np.square(g, dtype=np.float64)) for g in found.values()))
        assert float(scalars["gradient_norm"]) == pytest.approx(total, rel=1e-3)
        rate, beta_1 = float(schedule(count)), float(schedule.beta_1(count))
        for name, variable in named.items():
            expected = adam.update(name, before[name], found[name], rate, beta_1)
            told = np.abs(found[name]) > 1e-5  # smaller ones are rounding in the original, too
            error = np.abs(np.asarray(variable) - expected)[told]
            assert error.size == 0 or error.max() <= 0.02 * rate + 1e-6, (name, count)


def test_motion_gan_generator_and_average():
    """One published update written out: both discriminators, R1 after each, generator, average."""
    model = MotionGAN(
        height=16, width=16, content_dim=8, motion_dim=8, content_layers=2, width_factor=1 / 64,
        video_length=4, r1_every=2, r1_place="after", augment_once=True, augment=[],
    )  # fmt: skip
    model.configure_training(TrainingConfig(learning_rate=2e-3, adam_epsilon=1e-8, clip_norm=None))
    batch = tf.random.stateless_uniform((4, 4, 16, 16, 3), (0, 0))
    seed = fold_in((model.seed, 0), 0)
    start = [np.asarray(v) for v in model.variables]
    real = real_examples(model.settings, batch, seed)
    fake = made_examples(model.settings, model.generator, batch, seed)
    adam, expected = PyTorchAdam(0.99, 1e-8), {}

    def descend(network, loss_of):
        """The written-out step, left in the variables for what follows."""
        variables = network.trainable_variables
        with tf.GradientTape() as tape:
            loss = loss_of()
        gradients = tape.gradient(loss, variables)
        for variable, gradient in zip(variables, gradients, strict=True):
            gradient = np.zeros(variable.shape) if gradient is None else gradient
            old = np.asarray(variable, np.float64)
            variable.assign(adam.update(variable.path, old, gradient, 2e-3, 0.0))
            expected[variable.path] = np.asarray(variable)
        return float(loss)

    softplus = tf.math.softplus
    for kind, real_x, fake_x in (
        ("image", real.images, fake.images),
        ("video", real.videos, fake.videos),
    ):
        network = getattr(model, f"{kind}_discriminator")
        descend(
            network,
            lambda n=network, r=real_x, f=fake_x: (
                tf.reduce_mean(softplus(-n(r))) + tf.reduce_mean(softplus(n(f)))
            ),
        )

        def penalty(n=network, r=real_x):
            with tf.GradientTape() as tape:
                tape.watch(r)
                total = tf.reduce_sum(n(r))
            squares = tf.square(tape.gradient(total, r))
            return (
                10.0
                / 2
                * 2
                * tf.reduce_mean(tf.reduce_sum(tf.reshape(squares, (len(r), -1)), axis=1))
            )

        descend(network, penalty)

    def generator_loss():
        made = made_examples(model.settings, model.generator, batch, seed)
        judged = (model.image_discriminator(made.images), model.video_discriminator(made.videos))
        return tf.add_n([tf.reduce_mean(softplus(-logits)) for logits in judged])

    loss = descend(model.generator, generator_loss)
    for variable, value in zip(model.variables, start, strict=True):
        variable.assign(value)
    scalars = model.penalised_step(batch)
    assert float(scalars["loss/generator"]) == pytest.approx(loss, rel=1e-3)
    assert len(expected) == sum(
        len(network.trainable_variables) for network in model._networks.values()
    )
    for network in model._networks.values():
        for variable in network.trainable_variables:
            error = np.abs(np.asarray(variable) - expected[variable.path])
            # With beta_1 = 0 every step is of the rate's size, whatever the gradient's.
            assert np.mean(error > 2e-4) < 0.02, variable.path
