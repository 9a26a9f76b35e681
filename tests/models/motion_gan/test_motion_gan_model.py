import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.config import TrainingConfig
from hvp.models import MotionGAN
from hvp.models.motion_gan import augment
from hvp.models.motion_gan.bands import Bands
from hvp.models.motion_gan.codes import Codes
from hvp.models.motion_gan.config import MotionGANConfig
from hvp.models.motion_gan.examples import (
    frame_pairs,
    made_examples,
    real_examples,
    time_between,
)

pytestmark = pytest.mark.usefixtures("eagerly")  # test_shipped_configs.py (slow) has graphs

SETTINGS = {
    "height": 16,
    "width": 16,
    "content_dim": 8,
    "motion_dim": 8,
    "content_layers": 2,
    "width_factor": 1 / 64,
    "video_length": 4,
    "frequencies": [3.0, 7.0],
    "r1_every": 2,
}
TRAINING = TrainingConfig(learning_rate=2e-3, adam_epsilon=1e-8, clip_norm=None)


def make(**changes):
    return MotionGAN(**{**SETTINGS, **changes})


def clips(count=4):
    return tf.random.stateless_uniform((count, 4, 16, 16, 3), (0, 0))


def copies(layer):
    return [np.array(variable) for variable in layer.weights]


@pytest.fixture(scope="module")
def model():
    return make()


NETWORKS = [
    {},
    {"image_discriminator": "patch_image", "video_discriminator": "pair", "augment": []},
    {"video_discriminator": "video", "video_discriminator_scale": 1.0, "augment": ["color"]},
]


@pytest.mark.parametrize(
    "changes",
    [NETWORKS[0], *(pytest.param(n, marks=pytest.mark.slow) for n in NETWORKS[1:])],
    ids=["default", "pair", "video"],
)
def test_a_step_moves_all_networks(changes):
    model = make(**changes)
    model.configure_training(TRAINING)
    networks = [model.generator, model.image_discriminator, model.video_discriminator]
    before = [copies(network) for network in networks]
    average = copies(model.average)
    scalars = model.penalised_step(clips())
    assert all(math.isfinite(value) for value in scalars.values())
    assert scalars["r1/image"] > 0
    assert scalars["r1/video"] > 0
    for network, old in zip(networks, before, strict=True):
        changes = [
            (np.abs(variable - value).max(), variable.path)
            for variable, value in zip(network.weights, old, strict=True)
            if variable.trainable
        ]
        assert len(changes) == len(network.trainable_variables)
        assert min(changes)[0] > 0, min(changes)
    # 4 clips of a half life of 10 000
    decay = 0.5 ** (4 / 10000)
    for moved, old, new in zip(
        model.average.weights, average, model.generator.weights, strict=True
    ):
        np.testing.assert_allclose(moved, decay * old + (1 - decay) * new, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("changes", NETWORKS[:2], ids=["default", "pair"])
def test_mixed_precision(changes):
    """Frames come out in float32 and move smoothly: their times are never rounded."""
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = make(**changes)
        model.configure_training(TRAINING)
        scalars = model.penalised_step(clips())
        assert model.generate(1, 2, seed=0).dtype == tf.float32
        codes, times = model.draw_codes(1, 0), tf.constant([1.0, 1.001])
        styles = model.generator.style(codes.content, codes.motion, times)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert all(math.isfinite(value) for value in scalars.values())
    assert all(variable.dtype == "float32" for variable in model.variables)
    assert 0 < np.abs(styles[:, 1] - styles[:, 0]).max() < 0.05


def test_the_penalty_is_at_augmented_examples(monkeypatch):
    """As the published training has it: with cut-outs of everything, it is at black."""
    model = make(augment=["cutout"])
    model.configure_training(TRAINING)
    seen = []
    monkeypatch.setattr(augment, "apply", lambda x, draws: tf.zeros_like(x))
    monkeypatch.setattr(
        "hvp.models.motion_gan.model.r1_penalty",
        lambda judge, x: (seen.append(x), tf.reduce_sum(judge(x)))[1],
    )
    model._penalties(clips())
    assert [float(tf.reduce_max(tf.abs(x))) for x in seen] == [0.0, 0.0]


@pytest.mark.parametrize(("place", "updates"), [("before", 0), ("after", 1)])
def test_the_penalty_is_before_or_after_the_discriminators_step(monkeypatch, place, updates):
    """Published is after it, at the real examples that it was just shown."""
    model = make(r1_place=place)
    model.configure_training(TRAINING)
    shown, penalised = [], []
    apply = augment.apply

    def watched(x, draws):
        shown.append(apply(x, draws))
        return shown[-1]

    def penalty(judge, x):
        kind = "video" if x.shape.rank == 5 else "image"
        done = int(model.optimizers[f"{kind}_discriminator_optimizer"].iterations)
        again = sum(x.shape == y.shape and bool(np.all(np.array(x) == y)) for y in shown)
        penalised.append((kind, done, again))
        return tf.reduce_sum(judge(x) ** 2)

    monkeypatch.setattr(augment, "apply", watched)
    monkeypatch.setattr("hvp.models.motion_gan.model.r1_penalty", penalty)
    scalars = model.penalised_step(clips())
    # `again` counts the examples that are penalised, and, if they are, those of the step.
    assert penalised == [("image", updates, 1 + updates), ("video", updates, 1 + updates)]
    assert {"r1/image", "r1/video"} <= set(scalars)


@pytest.mark.parametrize("once", [True, False])
def test_the_generator_is_judged_by_what_the_discriminators_saw(monkeypatch, once):
    model = make(augment_once=once)
    model.configure_training(TRAINING)
    seen, apply = [], augment.apply

    def watched(x, draws):
        seen.append(np.array(apply(x, draws)))
        return tf.constant(seen[-1])

    monkeypatch.setattr(augment, "apply", watched)
    batch, seed = clips(), tf.constant([0, 1])
    s = model.settings
    real, fake = real_examples(s, batch, seed), made_examples(s, model.generator, batch, seed)
    for kind in ("image", "video"):
        model._discriminate(kind, real, fake, seed)
    model._generator_loss(fake, seed)
    # real and made frames, real and made videos, then made ones of both for the generator
    same = [np.array_equal(seen[4], seen[1]), np.array_equal(seen[5], seen[3])]
    assert same == [once, once]


def test_the_penalty_is_due_every_so_often(model):
    assert [model.step_function(step).__name__ for step in range(4)] == [
        "penalised_step",
        "plain_step",
    ] * 2
    never = MotionGANConfig(r1_every=0)
    assert never.r1_every == 0


def test_a_schedule_counts_updates_and_no_penalties():
    model = make(r1_every=3)
    steps = keras.optimizers.schedules.PolynomialDecay(1.0, 1000, 0.0)  # 1 - step / 1000
    model.configure_training(TRAINING, steps)
    rate = model.video_discriminator_optimizer._learning_rate
    # Penalties are before updates 0, 3 and 6.
    rates = [1 - round(1000 * (1 - float(rate(step)))) / 1000 for step in range(10)]
    updates = [0, 0, 1, 2, 3, 3, 4, 5, 6, 6]
    np.testing.assert_allclose(rates, [1 - update / 1000 for update in updates])
    assert model.generator_optimizer._learning_rate is steps


def test_keras_fit_and_evaluation():
    model = make()
    model.configure_training(TRAINING)
    model.run_eagerly = True  # as quick for a few updates
    history = model.fit(tf.data.Dataset.from_tensors(clips()).repeat(3), verbose=0)
    assert math.isfinite(history.history["loss"][0])
    # Three updates, and penalties before the first and the third.
    assert int(model.generator_optimizer.iterations) == 3
    assert int(model.image_discriminator_optimizer.iterations) == 5
    scores = [float(model.test_step(clips())["loss"]) for _ in range(2)]
    assert scores[0] == scores[1]


def test_times_between_and_beyond(model):
    videos = model.generate(2, 4, seed=1).numpy()
    finer = model.generate(2, 8, seed=1, time_range=(-1, 1)).numpy()
    np.testing.assert_allclose(finer[:, ::2], videos, atol=1e-5)
    longer = model.generate(2, 8, seed=1).numpy()  # -1 to 3, at the training clips' rate
    np.testing.assert_allclose(longer[:, :4], videos, atol=1e-5)
    assert np.abs(longer[:, 4:] - videos).max() > 1e-4


def test_many_frames_are_rendered_in_parts(model, monkeypatch):
    whole = model.generate(2, 6, seed=3).numpy()
    monkeypatch.setattr("hvp.models.motion_gan.model.PIXELS_AT_ONCE", 4 * 16 * 16)
    np.testing.assert_allclose(model.generate(2, 6, seed=3), whole, atol=1e-5)


def test_bands(model):
    plain = model.generate(2, 4, seed=1).numpy()
    edges = (3.0, math.inf)

    def kept(*bands):
        return model.generate(2, 4, seed=1, bands=Bands(edges, bands)).numpy()

    np.testing.assert_allclose(kept(0, 1), plain, atol=1e-5)
    np.testing.assert_array_equal(kept(0, 0), kept(0))
    slow, fast, none = kept(0), kept(1), kept()
    assert np.abs(np.diff(none, axis=1)).max() == 0  # no motion left
    for part in (slow, fast):
        assert np.abs(part - plain).max() > 1e-4
        assert np.abs(np.diff(part, axis=1)).max() > 1e-5


def test_exchange_of_a_band(model):
    """Both bands from one code are that code's video; of two codes, another's."""
    codes, other = model.draw_codes(2, 1), model.draw_codes(2, 2)
    bands = Bands([3.0, math.inf])  # type: ignore[arg-type]

    def video(motion):
        chosen = Codes(codes.content, motion, codes.noise)
        return model.generate(2, 4, bands=bands, codes=chosen).numpy()

    plain = model.generate(2, 4, codes=codes).numpy()
    np.testing.assert_allclose(video([codes.motion, codes.motion]), plain, atol=1e-5)
    exchanged = video([codes.motion, other.motion])
    assert np.abs(exchanged - plain).max() > 1e-4
    with pytest.raises(ValueError, match="expected 1 or 2 motion codes, one a band, received 3"):
        video([codes.motion] * 3)


def test_bands_refuse_what_makes_no_sense():
    with pytest.raises(ValueError, match="rising order"):
        Bands((3.0, 2.0)).check()
    with pytest.raises(ValueError, match="numbered 0 to 1"):
        Bands((3.0, 7.0), keep=(2,)).check()


def test_times_must_rise(model):
    with pytest.raises(ValueError, match="time_range must rise, received 1, -1"):
        model.generate(1, 4, time_range=(1, -1))


@pytest.mark.parametrize("size", [(16, 32), (48, 48), (8, 8)])
def test_frame_sizes_are_powers_of_two(size):
    with pytest.raises(ValueError, match="equal and one of 16, 32"):
        make(height=size[0], width=size[1])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"frequencies": [7.0, 3.0]}, "frequencies must rise"),
        ({"augment": ["zoom"]}, "augment takes .*found zoom"),
        ({"video_discriminator_scale": 0.3}, "1, 0.5 or 0.25, found 0.3"),
        ({"video_length": 1}, "video_length must be at least 2, found 1"),
        ({"width_factor": 0.0}, "width_factor must be above 0"),
        ({"frequencies": [math.nan]}, "frequencies must be above 0"),
        ({"widths": {12: 8}}, "widths are of resolutions 4, 8, .* found 12"),
        ({"widths": {8: 0}}, "widths must be at least 1, found 0 at 8"),
    ],
)
def test_settings_are_checked(changes, expected):
    with pytest.raises(ValueError, match=expected):
        MotionGANConfig(**changes)


def test_widths_replace_those_of_the_table():
    widths = make(widths={8: 5}).generator.renderer.widths
    assert widths == {4: 8, 8: 5, 16: 8}
    # As strings, which is what JSON keeps of numbers.
    assert MotionGANConfig(widths={"8": 5}).widths == {8: 5}


def test_published_widths():
    """Parameters of the original at 64x64: 28.3 M, 26.5 M and 54.0 M."""
    from hvp.models.motion_gan.widths import frame_widths, video_widths
    from hvp.weights.motion_gan import make_discriminator

    assert frame_widths(1.0)[256] == 128
    assert video_widths(1.0)[256] == 64
    counts = [
        make_discriminator(name, 64).count_params()
        for name in ("ImageDiscriminator", "PatchVideoDiscriminator")
    ]
    assert [round(count / 1e6, 1) for count in counts] == [26.5, 54.0]


def test_augmentation_draws():
    draws = augment.draw(["color", "translation", "cutout", "flip"], 500, 32, 22, (0, 1))
    ranges = {
        "brightness": (-0.5, 0.5),
        "saturation": (0, 2),
        "contrast": (0.5, 1.5),
        "translation_h": (-4, 4),
        "translation_w": (-3, 3),
        "offset_h": (0, 32),
        "offset_w": (0, 21),
        "flip": (0, 1),
    }
    assert set(draws) == set(ranges)
    for name, (low, high) in ranges.items():
        values = draws[name].numpy()
        assert low <= values.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) - 0.5 < values.max() <= high
    assert set(augment.draw(["flip"], 3, 32, 32, (0, 1))) == {"flip"}


def test_contrast_keeps_a_videos_mean():
    video = tf.random.stateless_uniform((2, 3, 8, 8, 3), (0, 0))
    changed = augment.apply(video, {"contrast": tf.constant([0.5, 1.5])})
    axes = (1, 2, 3, 4)
    np.testing.assert_allclose(
        tf.reduce_mean(changed, axes), tf.reduce_mean(video, axes), rtol=1e-5
    )
    spread = tf.math.reduce_std(changed, axes) / tf.math.reduce_std(video, axes)
    np.testing.assert_allclose(spread, [0.5, 1.5], rtol=1e-5)


def test_pairs_are_different_frames_in_order_and_their_time_apart():
    positions = frame_pairs(5, 300, (0, 1))
    first, second = np.array(positions).T
    assert (first < second).all()
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == {
        (i, j) for j in range(5) for i in range(j)
    }
    # A clip of 5 frames spans 2 units of time.
    np.testing.assert_allclose(time_between(positions, 5)[:, 0], (second - first) * 0.4, rtol=1e-6)


def test_published_settings():
    from hvp.config import load_config

    for name in ("ucf101", "sky"):
        config = load_config(f"configs/motion_gan_{name}.yml")
        data, model, training = config.data, config.model, config.training
        assert (data.height, data.width, data.seq_len, data.frame_step) == (256, 256, 16, 1)
        assert data.random_start
        assert model == MotionGANConfig(r1_place="after", augment_once=True)
        # 8 GPUs with 2 videos and 4 frames each
        assert training.batch_size // model.images_per_video == 16
        assert (training.batch_size, training.steps) == (32, 300_000)
        assert (training.learning_rate, training.adam_epsilon) == (2e-3, 1e-8)
        assert training.clip_norm is None
    assert MotionGANConfig().video_discriminator == "patch_video"
    assert MotionGANConfig().frequencies == [7.0]
