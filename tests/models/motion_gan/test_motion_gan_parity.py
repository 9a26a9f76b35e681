"""The motion GAN against numbers computed with the original networks.

Tolerances: 1e-4 of the largest value. The original's own float32 noise is 1e-5 absolute for videos
whose values reach about 2, and below 1e-6 for everything else.
"""

import math

import numpy as np
import pytest
import tensorflow as tf

from hvp.losses.adversarial import r1_penalty
from hvp.models.motion_gan import augment
from hvp.models.motion_gan.bands import Bands
from hvp.models.motion_gan.motion import time_grid
from hvp.weights import from_reference
from hvp.weights.motion_gan import discriminator_targets, generator_targets


def close(actual, expected, tolerance=1e-4):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def last(array):
    """Channels first to channels last."""
    return np.moveaxis(array, 1, -1)


@pytest.fixture(scope="module")
def generator_golden(golden):
    return golden("fmrgan_generator")


@pytest.fixture(scope="module")
def generator(generator_golden):
    return from_reference(generator_golden.config, generator_golden.weights).generator


@pytest.fixture(scope="module")
def noise(generator_golden):
    return [last(generator_golden[f"inputs/noise_{i}"]) for i in range(7)]


RANGES = (3.0, math.inf)
RUNS = {
    "": (["z_motion"], "coords", None),
    "extrap/": (["z_motion"], "coords_extrap", None),
    "nonzeros/": (["z_motion"], "coords", Bands(RANGES, keep=(0,))),
    "codes_per_range/": (["z_motion1", "z_motion2"], "coords", Bands(RANGES)),
    "codes_per_branch/": (["z_motion1", "z_motion2"], "coords", None),
    "explicit_coords/": (["z_motion"], "coords_explicit", None),
}


@pytest.mark.parametrize("run", RUNS)
def test_videos(generator, generator_golden, noise, run):
    codes, times, bands = RUNS[run]
    codes = [generator_golden[f"inputs/{code}"] for code in codes]
    video = generator(
        generator_golden["inputs/z_content"],
        codes if len(codes) > 1 else codes[0],
        generator_golden[f"inputs/{times}"],
        noise,
        bands,
    )
    expected = last(generator_golden[f"outputs/{run}video"])  # the first of two videos
    assert len(expected) == 1
    close(video[:1], expected)


def test_generator_of_published_widths_with_seeded_weights(golden):
    """The video, and every variable's gradient whose squares float32 can hold."""
    values = golden("seeded/fmrgan_generator")
    generator = from_reference(values.config, values.weights).generator
    noise = [last(values[f"inputs_noise_{i}"]) for i in range(7)]
    codes = [tf.constant(values[f"inputs_{name}"]) for name in ("z_content", "z_motion", "coords")]

    with tf.GradientTape() as tape:
        video = generator(*codes, noise, None)
        loss = tf.reduce_mean(video * last(values["inputs_cotangent"]))
    gradients = tape.gradient(loss, generator.trainable_variables)
    close(video, last(values["outputs_video"]))
    assert float(loss) == pytest.approx(float(values["loss"]), rel=1e-4)
    norms = values.json("grad_norms")
    by_id = {
        id(v): float(tf.norm(g))
        for v, g in zip(generator.trainable_variables, gradients, strict=True)
    }
    targets = generator_targets(generator)
    ours = {name: by_id[id(targets[name].variable)] for name in norms}
    measurable = {name: norm for name, norm in norms.items() if norm > 1e-16}
    assert len(measurable) > 60
    for name, norm in measurable.items():
        # The strength of the noise is one number, a sum over pixels that nearly cancels.
        tolerance = 1e-8 if name.endswith("noise.weight") else 0
        assert ours[name] == pytest.approx(norm, rel=5e-4, abs=tolerance), name


def test_time_grid(generator_golden):
    close(time_grid(8), generator_golden["inputs/coords"], 1e-6)
    close(time_grid(16, -1, 3), generator_golden["inputs/coords_extrap"], 1e-6)


@pytest.mark.parametrize("branch", [0, 1])
def test_bands_of_frequencies(generator, generator_golden, branch):
    features = generator.branches[branch].features
    expected = generator_golden[f"outputs/freq_idx_{branch}"]
    np.testing.assert_array_equal(features.masks(Bands(RANGES)), expected)
    relative = features.masks(Bands((0.5, 1.0), relative=True))
    np.testing.assert_array_equal(relative, generator_golden[f"outputs/freq_idx_ratio0.5_{branch}"])


def test_average_starts_at_the_imported_weights(generator_golden):
    model = from_reference(generator_golden.config, generator_golden.weights)
    assert len(model.average.weights) > 70
    for average, variable in zip(model.average.weights, model.generator.weights, strict=True):
        np.testing.assert_array_equal(average, variable)


DISCRIMINATORS = {
    "ImageDiscriminator": "convs.1.conv1.1.bias",
    "VideoDiscriminator": "convs.1.conv1.1.bias",
    "PatchVideoDiscriminator": "convs.1.skip.1.weight",
    "PatchImageDiscriminator": "convs.1.skip.1.weight",
    "DeltaVideoDiscriminator": "convs.1.conv1.1.bias",
}


@pytest.fixture(scope="module")
def discriminators(golden):
    data = golden("fmrgan_discriminators")

    def load(name):
        prefix = f"{name}/"
        weights = {
            k.removeprefix(prefix): w for k, w in data.weights.items() if k.startswith(prefix)
        }
        config = {"model": name, **data.config["models"][name]}
        inputs = [last(data[config["input"]])]
        if "delta" in config:
            inputs.append(data[config["delta"]])
        return from_reference(config, weights), inputs

    return data, load


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_logits(discriminators, name):
    data, load = discriminators
    network, inputs = load(name)
    close(network(*inputs), data[f"outputs/{name}/logits"])
    if f"outputs/{name}/logits_first2" in data:
        first = [tensor[:2] for tensor in inputs]
        close(network(*first), data[f"outputs/{name}/logits_first2"])
    if name == "ImageDiscriminator":
        both = np.concatenate([inputs[0], last(data["inputs/image_extra"])])
        close(network(both), data[f"outputs/{name}/logits_batch8"])


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_r1_and_its_gradients(discriminators, name):
    """The penalty to 1e-3, and second gradients of weights from the first layer to the last."""
    data, load = discriminators
    network, inputs = load(name)
    targets = discriminator_targets(network)
    names = ["convs.0.0.weight", "convs.1.conv2.1.weight", DISCRIMINATORS[name]]
    names.append("final_conv.0.weight")

    with tf.GradientTape() as tape:
        penalty = r1_penalty(lambda x: network(x, *inputs[1:]), tf.convert_to_tensor(inputs[0]))
        loss = 80.0 * penalty
    gradients = tape.gradient(loss, [targets[n].variable.value for n in names])
    close(penalty, data[f"outputs/{name}/r1"], 1e-3)
    for variable_name, gradient in zip(names, gradients, strict=True):
        assert gradient is not None, variable_name
        expected = targets[variable_name].convert(data[f"outputs/{name}/r1_grad/{variable_name}"])
        close(gradient, expected, 1e-3)


@pytest.mark.parametrize("kind", ["image", "video"])
@pytest.mark.parametrize(
    "policy",
    [
        "brightness_only",
        "saturation_only",
        "contrast_only",
        "color",
        "translation",
        "cutout",
        "flip",
        "all",
    ],
)
def test_augmentation(golden, kind, policy):
    data = golden("diffaugment")
    prefix = f"inputs/{kind}/{policy}/"
    draws = data.below(prefix)
    assert draws
    augmented = augment.apply(
        tf.constant(last(data[f"inputs/{kind}"])), draws, contrast_by_column=True
    )
    close(augmented, last(data[f"outputs/{kind}/{policy}"]), 1e-5)
