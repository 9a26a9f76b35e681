"""Initial values of every variable, by the moments of what the original's framework draws.

PyTorch draws kernels and biases uniformly up to 1 / sqrt(fan-in); mmcv's `ConvModule` draws kernels
normally, of variance 2 / fan-out, and sets biases to 0. The variables' names and layouts here are
the originals', so fans follow from shapes as PyTorch counts them.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.layers.initial_values import pytorch_values
from hvp.models.dfdnet.model import DFDNet
from hvp.models.fusion.model import FusionModel
from hvp.models.hierarchical.model import HierarchicalModel
from hvp.models.motion_gan.model import MotionGAN
from hvp.models.sdfnet.model import SDFNet
from hvp.weights import frequency_nets, motion_gan, pytorch_layouts
from hvp.weights.hierarchical import original_names

MMCV = re.compile(r"\.(stem1?\.\d\.conv|conv2\.conv[12]\.conv|stem\.1\.conv[12]\.conv)\.")


class Expected(NamedTuple):
    """A constant (`low` = `high`), uniform from `low` to `high`, or normal around 0."""

    low: float = 0.0
    high: float = 0.0
    stddev: float | None = None


def assert_drawn(values, expected, name):
    """Moments within 6 standard errors, and a uniform one's ends reached where it is long."""
    values, count = np.asarray(values, np.float64).ravel(), np.size(values)
    if expected.stddev is None and expected.low == expected.high:
        assert np.all(values == expected.low), name
        return
    width = expected.high - expected.low
    stddev = width / math.sqrt(12) if expected.stddev is None else expected.stddev
    mean = (expected.low + expected.high) / 2
    assert abs(values.mean() - mean) <= 6 * stddev / math.sqrt(count), name
    if count >= 16:
        assert abs(values.std() / stddev - 1) <= 6 / math.sqrt(2 * count), name
    if expected.stddev is None:
        assert expected.low <= values.min(), name
        assert values.max() <= expected.high, name
        if count >= 256:
            assert values.max() - values.min() > 0.9 * width, name
    elif count >= 256:
        assert np.abs(values).max() > 2.2 * stddev, f"{name} is cut off"


def uniform(bound):
    return Expected(-bound, bound)


def frequency_net_rule(name, shapes):
    kind, shape = name.rsplit(".", 1)[1], shapes[name]
    if kind in ("param_h", "param_w"):
        return Expected(stddev=1.0)
    weight = shapes.get(name.removesuffix(kind) + "weight", ())
    if kind.startswith("running") or len(weight) < 2:  # normalisations
        return Expected(*[float(kind in ("weight", "running_var"))] * 2)
    if MMCV.search(name):
        fan_out = weight[0] * math.prod(weight[2:])
        return Expected(stddev=math.sqrt(2 / fan_out)) if kind == "weight" else Expected()
    assert kind in ("weight", "bias"), shape
    return uniform(1 / math.sqrt(math.prod(weight[1:])))


def original_shape(target):
    """The shape of a variable in PyTorch's layout: the one that converts to ours."""
    shape, convert = tuple(target.variable.shape), target.convert
    if len(shape) < 2 or convert in (pytorch_layouts.same,):
        return shape
    axes = np.empty(shape)
    inverse = {
        pytorch_layouts.convolution: lambda a: a.transpose(3, 2, 0, 1),
        pytorch_layouts.transposed: lambda a: a.transpose(3, 2, 0, 1),
        pytorch_layouts.depthwise: lambda a: a.transpose(2, 3, 0, 1),
        pytorch_layouts.linear: np.transpose,
    }[convert]
    return inverse(axes).shape


@pytest.mark.parametrize("family", [SDFNet, DFDNet])
def test_frequency_nets(family):
    keras.utils.set_random_seed(0)
    model = family(height=32, width=32, frames=4, hidden=16, blocks=[1, 2, 1, 2])
    targets = frequency_nets.targets(model)
    shapes = {name: original_shape(target) for name, target in targets.items()}
    for name, target in targets.items():
        assert_drawn(target.variable, frequency_net_rule(name, shapes), name)


@pytest.mark.slow
def test_the_seed_decides_them():
    def drawn():
        keras.utils.set_random_seed(3)
        model = DFDNet(height=16, width=16, frames=4, hidden=8, blocks=[1, 1, 1, 1])
        return [np.asarray(v) for v in model.variables]

    first, second = drawn(), drawn()
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_layer_that_a_function_builds():
    layer = keras.layers.Dense(3, **pytorch_values())
    tf.function(lambda x: layer(x), autograph=False)(tf.ones((1, 4)))
    assert_drawn(layer.kernel, uniform(0.5), "kernel")
    assert np.all(np.asarray(layer.bias) != 0)


def motion_gan_rule(name):
    """StyleGAN2's equalised learning rates, and the Fourier features' ranges."""
    if name.endswith("ffm.linear.bias"):
        return uniform(1.0)
    if name.endswith("modulation.bias"):
        return Expected(1.0, 1.0)
    if name.endswith("bias") or name.endswith("noise.weight"):
        return Expected()
    if re.match(r"(motion_style|renderer\.style)\.", name):
        return Expected(stddev=100.0)  # of a hundredth of the learning rate
    return Expected(stddev=1.0)


def assert_frequencies(values, low, high, name):
    values = np.asarray(values)
    half = len(values) // 2
    assert_drawn(values[:half], Expected(low, high), name)
    assert_drawn(values[half:], Expected(-high, -low), name)


def test_motion_gan():
    keras.utils.set_random_seed(0)
    model = MotionGAN(
        height=16, width=16, content_dim=64, motion_dim=64, frequencies=[3.0, 7.0],
        width_factor=0.0625, video_discriminator="pair", video_discriminator_scale=1.0,
    )  # fmt: skip
    targets = motion_gan.generator_targets(model.generator)
    for network in (model.image_discriminator, model.video_discriminator):
        targets |= {f"{network.name}.{n}": t for n, t in
                    motion_gan.discriminator_targets(network).items()}  # fmt: skip
    ranges = {
        "LFF.0.": (0.0, 3.0),
        "LFF.1.": (3.0, 7.0),
        "video_discriminator.temporalPE.": (0.0, 3.0),
    }
    for name, target in targets.items():
        if name.endswith("ffm.linear.weight"):
            low, high = ranges[name.removesuffix("ffm.linear.weight")]
            assert_frequencies(target.variable, low, high, name)
        else:
            assert_drawn(target.variable, motion_gan_rule(name), name)


def glorot(shape):
    window = math.prod(shape[:-2])
    return uniform(math.sqrt(6 / (window * (shape[-2] + shape[-1]))))


def test_hierarchical():
    keras.utils.set_random_seed(0)
    model = HierarchicalModel(
        height=64, width=64, channels=1, channels_mult=0.25, enc_dense_embed_size=32,
        cell_stoch_size=8, cell_deter_size=16, cell_embed_size=16,
    )  # fmt: skip
    for name, variable in original_names(model):
        shape, kind = tuple(variable.shape), name.rsplit("/", 1)[1]
        if kind == "recurrent_kernel":
            rows = np.asarray(variable)
            np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-5)
        else:
            assert_drawn(variable, Expected() if kind == "bias" else glorot(shape), name)


def test_fusion():
    keras.utils.set_random_seed(0)
    model = FusionModel(
        height=32, width=32, upscale_factor=1, predictor_filters=[4, 8, 8],
        translator_filters=[8, 8], discriminator_filters=[8, 8],
    )  # fmt: skip
    for variable in model.trainable_variables:
        name = variable.path
        if name.endswith("kernel"):
            assert_drawn(variable, glorot(tuple(variable.shape)), name)
        else:
            assert_drawn(variable, Expected(*[float(name.endswith("gamma"))] * 2), name)


@pytest.mark.parametrize(("family", "total"), [(SDFNet, 2412.2353180), (DFDNet, 6079.6537767)])
def test_a_seed_draws_what_it_always_has(family, total):
    """Values that are drawn at first use move when a layer looks at its weights once more."""
    keras.utils.set_random_seed(0)
    kernels = {"involution_kernels": [1, 3, 3, 3]} if family is SDFNet else {}
    model = family(hidden=8, frames=4, height=16, width=16, blocks=[1, 1, 1, 1], **kernels)
    model(np.zeros((1, 4, 16, 16, 1), "float32"))
    found = sum(np.abs(np.float64(weight)).sum() for weight in model.weights)
    assert found == pytest.approx(total, rel=1e-8)
