import numpy as np
import pytest
import tensorflow as tf

from hvp.losses.adversarial import KINDS, discriminator_loss, generator_loss, r1_penalty

REAL = np.array([[0.5], [2.0], [-1.0]], np.float32)
FAKE = np.array([[-0.3], [1.5], [-4.0]], np.float32)


def softplus(x):
    return np.log1p(np.exp(x))


def relu(x):
    return np.maximum(x, 0)


EXPECTED = {
    "non_saturating": (
        softplus(-REAL).mean() + softplus(FAKE).mean(),
        softplus(-FAKE).mean(),
    ),
    "hinge": (relu(1 - REAL).mean() + relu(1 + FAKE).mean(), -FAKE.mean()),
    "least_squares": (
        0.5 * ((REAL - 1) ** 2).mean() + 0.5 * (FAKE**2).mean(),
        0.5 * ((FAKE - 1) ** 2).mean(),
    ),
    "wasserstein": (FAKE.mean() - REAL.mean(), -FAKE.mean()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_losses_follow_their_formulas(kind):
    inside = tf.function(lambda: (discriminator_loss(REAL, FAKE, kind), generator_loss(FAKE, kind)))
    np.testing.assert_allclose(inside(), EXPECTED[kind], rtol=1e-6)


def test_losses_equal_the_golden(golden):
    data = golden("fmrgan_discriminators")
    real, fake = data["inputs/real_logits"], data["inputs/fake_logits"]
    np.testing.assert_allclose(
        discriminator_loss(real, fake), data["outputs/losses/d_logistic"], rtol=1e-6
    )
    np.testing.assert_allclose(
        generator_loss(fake), data["outputs/losses/g_nonsaturating"], rtol=1e-6
    )


def test_unknown_kind():
    with pytest.raises(ValueError, match=r"unknown adversarial loss 'logistic'.*hinge"):
        generator_loss(FAKE, "logistic")


def test_r1_penalty_and_its_gradient():
    """For logits w x^2 the gradient is 2 w x: the penalty 4 w^2 sum x^2, its derivative 8 w ..."""
    w, x = tf.Variable(1.5), tf.constant([[1.0, 2.0], [3.0, -1.0]])
    with tf.GradientTape() as tape:
        penalty = r1_penalty(lambda x: w * tf.reduce_sum(x**2, axis=1), x)
    squares = (1 + 4 + 9 + 1) / 2
    np.testing.assert_allclose(penalty, 4 * 1.5**2 * squares, rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(penalty, w), 8 * 1.5 * squares, rtol=1e-6)
