"""What every family keeps to, whatever it is: `VideoModel`, its registry, the trainer.

A family is tested here with the smallest settings that have all of its parts; `TINY` holds them.
Functions run eagerly: a few steps are sooner done than traced, and other tests trace them.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import hvp
from hvp.config import TrainingConfig, parse_config
from hvp.experiment.checkpoints import load_experiment, save_experiment
from hvp.families import FAMILIES
from hvp.training.schedules import WarmUpCosine
from hvp.training.trainer import train

FREQUENCY_NET = {"frames": 2, "hidden": 8, "blocks": [1, 1, 1, 1], "losses": {"mse": 1.0}}
# Family -> frame size, channels, frames of a window, `model` section.
TINY: dict[str, tuple[int, int, int, dict[str, Any]]] = {
    "hierarchical": (
        32,
        1,
        4,
        {
            "levels": 2,
            "tmp_abs_factor": 2,
            "enc_dense_layers": 1,
            "enc_dense_embed_size": 16,
            "cell_stoch_size": 4,
            "cell_deter_size": 12,
            "cell_embed_size": 12,
            "channels_mult": 0.125,
            "dec_stddev": 0.1,
        },
    ),
    "sdfnet": (
        8,
        1,
        4,
        {**FREQUENCY_NET, "frames": 2, "hidden": 16, "involution_kernels": [1] * 4},
    ),
    "dfdnet": (8, 1, 4, FREQUENCY_NET),
    "fusion": (
        16,
        1,
        4,
        {
            "frames": 2,
            "step": 2,
            "regions": 3,
            "upscale_factor": 1,
            "stochastic": True,
            "predictor_filters": [4, 8],
            "translator_filters": [4, 8],
            "discriminator_filters": [4, 8],
            "translator_frames": 2,
        },
    ),
    "simvp": (
        8,
        1,
        4,
        {"frames": 2, "hidden": 8, "translator_width": 16, "translator_blocks": 2},
    ),
    "convlstm": (8, 1, 4, {"context": 2, "hidden": [24], "patch_size": 2, "sampling_steps": 2}),
    "svg_lp": (16, 1, 4, {"context": 2, "code_size": 16, "latent_size": 2, "recurrent_size": 16}),
    "motion_gan": (
        16,
        3,
        4,
        {
            "video_length": 4,
            "content_dim": 8,
            "motion_dim": 8,
            "content_layers": 1,
            "width_factor": 1 / 64,
            # The others measure how examples differ within a replica's part of the batch.
            "image_discriminator": "patch_image",
            "r1_every": 2,
            "average_half_life": 4.0,
            "augment": [],
        },
    ),
}
PREDICTORS = [name for name in TINY if not FAMILIES[name].generates]
GENERATORS = [name for name in TINY if FAMILIES[name].generates]
STOCHASTIC = ("hierarchical", "fusion", "svg_lp")
# The same in both, with room for rounding: sums over replicas are added in another order.
TRAINING = TrainingConfig(learning_rate=1e-2, adam_epsilon=1e-2, clip_norm=None)
FITTING = TrainingConfig(learning_rate=1e-2, adam_epsilon=1e-7, clip_norm=None)


def experiment(family: str, **training: Any) -> hvp.ExperimentConfig:
    size, channels, frames, settings = TINY[family]
    data = {"dataset": "moving_shapes", "height": size, "width": size, "channels": channels}
    few = {"batch_size": 2, "gifs_every": 0, "validate_every": 0, "checkpoint_every": 1}
    return parse_config(
        {
            "name": family,
            "data": {**data, "seq_len": frames, "train_videos": 8, "test_videos": 4},
            "model": {"family": family, **settings},
            "training": {**few, "adam_epsilon": 1e-2, **training},
            "evaluation": {"context": 2, "seq_len": 4},
        },
        "contract.yml",
    )


def moving_squares(family: str, videos: int = 2) -> np.ndarray:
    """One bright square a video, of its own shade, walking to the right."""
    size, channels, frames, _ = TINY[family]
    result = np.zeros((videos, frames, size, size, channels), np.float32)
    for video in range(videos):
        for frame in range(frames):
            left = (video + frame) % (size // 2)
            result[video, frame, 2 : size // 2, left : left + size // 2] = 0.5 + 0.4 * (video % 2)
    return result


@pytest.fixture(scope="module", autouse=True)
def eagerly():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def in_graphs():
    """Not eagerly: what is exported is a graph."""
    tf.config.run_functions_eagerly(False)
    yield
    tf.config.run_functions_eagerly(True)


@pytest.fixture(scope="module")
def models():
    """`models(family)`: one model of each family, built once and never trained."""
    built: dict[str, Any] = {}

    def model(family: str) -> Any:
        if family not in built:
            built[family] = hvp.build_model(experiment(family))
        return built[family]

    return model


def test_every_family_is_tested():
    assert set(TINY) == set(FAMILIES)


@pytest.mark.parametrize("family", TINY)
def test_config_round_trip(family, models):
    model = models(family)
    config = model.get_config()
    json.dumps(config)
    tf.keras.utils.set_random_seed(0)  # as `build_model` does with the experiment's seed
    twin = type(model).from_config(config)
    assert twin.get_config() == config
    for ours, theirs in zip(model.variables, twin.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


@pytest.mark.parametrize("family", PREDICTORS)
def test_rollout(family, models):
    model, videos = models(family), moving_squares(family)
    context = videos[:, :3]
    first = model.rollout(context, 3, num_samples=2, seed=1)
    assert first.shape == (2, 2, 3, *videos.shape[2:])
    assert first.dtype == tf.float32
    assert 0 <= np.min(first) <= np.max(first) <= 1
    np.testing.assert_array_equal(model.rollout(context, 3, 2, seed=1), first)
    assert model.stochastic == (family in STOCHASTIC)
    for other in (model.rollout(context, 3, 2, seed=2), first[::-1]):
        assert (np.abs(other - first).max() > 0) == model.stochastic
    unclipped = model.rollout(context, 3, 2, seed=1, clip=False)
    np.testing.assert_array_equal(np.clip(unclipped, 0, 1), first)


# A window's block is 2 frames: of 3 it has one, of 5 two; neither divides the horizon.
@pytest.mark.parametrize("part", [3, 5])
@pytest.mark.parametrize("family", PREDICTORS)
def test_parts_of_a_rollout_are_the_whole(family, part, models):
    model, context = models(family), moving_squares(family)[:, :3]
    assert model.block is not None
    whole = model.rollout(context, 11, num_samples=2, seed=1, clip=False)
    parts = list(model.rollout_parts(context, 11, 2, seed=1, clip=False, part=part))
    assert {x.shape[2] <= part for x in parts} == {True}
    assert len(parts) >= 11 / part
    # Rounding differs with the size of the matrix products.
    np.testing.assert_allclose(tf.concat(parts, 2), whole, atol=2e-5)
    (alone,) = model.rollout_parts(context, 2, 2, seed=1, clip=False, part=part)
    np.testing.assert_array_equal(alone, model.rollout(context, 2, 2, seed=1, clip=False))
    clipped = next(model.rollout_parts(context, 11, 2, seed=1, part=part))
    np.testing.assert_array_equal(clipped, np.clip(parts[0], 0, 1))


@pytest.mark.parametrize("family", PREDICTORS)
def test_futures_of_an_example_do_not_depend_on_its_batch_nor_on_their_number(family, models):
    context = moving_squares(family, 3)[:, :3]
    seeds = np.arange(6).reshape(3, 2)
    together = models(family).rollout(context, 2, num_samples=3, seed=seeds)
    alone = models(family).rollout(context[1:2], 2, num_samples=2, seed=seeds[1:2])
    # Rounding differs with the size of the matrix products.
    np.testing.assert_allclose(together[:2, 1:2], alone, atol=2e-5)


@pytest.mark.parametrize("family", PREDICTORS)
def test_rollout_refuses(family, models):
    model, context = models(family), moving_squares(family)[:, :3]
    size, *_, channels = model.frame_shape
    shape = rf"expected videos of shape \(batch, time, {size}, {size}, {channels}\) with at least"
    cases = [
        ({"context": context[..., :4, :]}, shape),
        ({"context": context[0]}, shape),
        ({"context": context[:, : model.min_context - 1]}, f"{shape} {model.min_context} frames"),
        ({"context": (255 * context).astype(np.uint8)}, "floats in .0, 1., received uint8"),
        ({"context": context - 1}, "expected frames in .0, 1., received -1 to"),
        ({"context": context * np.nan}, "expected frames in .0, 1., received nan"),
        ({"horizon": 0}, "horizon must be a whole number of at least 1, received 0"),
        ({"num_samples": 1.5}, "num_samples must be a whole number of at least 1, received 1.5"),
        ({"seed": (1, 2, 3)}, r"seed must be an integer, a pair or \(2, 2\) integers, received"),
        ({"masks": np.zeros(context.shape[:4], np.uint8)}, "takes no masks"),
    ]
    for wrong, message in cases:
        with pytest.raises(ValueError, match=message):
            model.rollout(**{"context": context, "horizon": 2, **wrong})
        with pytest.raises(ValueError, match=message):  # before the first part is asked for
            model.rollout_parts(**{"context": context, "horizon": 2, **wrong})
    with pytest.raises(ValueError, match="part must be a whole number of at least 1, received 0"):
        model.rollout_parts(context, 2, part=0)
    with pytest.raises(NotImplementedError, match=f"{type(model).__name__} does not generate"):
        model.generate(1, 2)


@pytest.mark.parametrize("family", PREDICTORS)
def test_fit_refuses(family, models):
    model, clips = models(family), moving_squares(family)
    with pytest.raises(ValueError, match=r"floats in .0, 1., received uint8; divide bytes by 255"):
        model.test_step(tf.constant((255 * clips).astype(np.uint8)))
    with pytest.raises(ValueError, match=r"expected frames in .0, 1., received 0 to 2"):
        model.fit(255 * clips)


@pytest.mark.parametrize("family", GENERATORS)
def test_generate(family, models):
    model = models(family)
    videos = model.generate(3, 4, seed=1)
    assert videos.shape == (3, 4, *model.frame_shape)
    assert videos.dtype == tf.float32
    assert 0 <= np.min(videos) <= np.max(videos) <= 1
    np.testing.assert_array_equal(model.generate(3, 4, seed=(1, 0)), videos)
    assert np.abs(model.generate(3, 4, seed=2) - videos).max() > 0
    for wrong, message in (
        ({"num_videos": 0}, "num_videos must be a whole number of at least 1, received 0"),
        ({"num_frames": "4"}, "num_frames must be a whole number of at least 1, received '4'"),
        ({"seed": [[1, 2], [3, 4]]}, "seed must be an integer or a pair, received shape"),
    ):
        with pytest.raises(ValueError, match=message):
            model.generate(**{"num_videos": 1, "num_frames": 2, **wrong})
    with pytest.raises(NotImplementedError, match=f"{type(model).__name__} does not predict"):
        model.rollout(moving_squares(family), 2)
    with pytest.raises(NotImplementedError, match=f"{type(model).__name__} does not predict"):
        next(model.rollout_parts(moving_squares(family), 2))


def distance(family: str, model: Any, clips: np.ndarray) -> float:
    """What training on `clips` must lessen: errors of predicted frames, or of brightness."""
    if family in GENERATORS:
        return abs(float(np.mean(model.generate(8, 4, seed=0)) - clips.mean()))
    scalars = model.test_step(tf.constant(clips))
    return float(scalars.get("predictor/l1", scalars["loss"]))


@pytest.mark.parametrize("family", TINY)
def test_overfits_two_clips(family):
    """And makes no variable on the way."""
    model = hvp.build_model(experiment(family))
    variables = {v.path for v in model.variables}
    model.configure_training(FITTING)
    clips = moving_squares(family)
    distances = [distance(family, model, clips)]
    for step in range(20):
        scalars = model.step_function(step)(tf.constant(clips))
        assert np.isfinite(float(scalars["loss"]))
        if step % 4 == 3:
            distances.append(distance(family, model, clips))
            if distances[-1] < 0.8 * distances[0]:
                break
    else:
        pytest.fail(f"it learns nothing: {distances}")
    assert {v.path for v in model.variables} == variables


@pytest.mark.parametrize("family", TINY)
def test_saves_and_loads(family, models, tmp_path):
    """With another seed, so that what is loaded was not there from the start."""
    config, model = experiment(family), models(family)
    model.configure_training(config.training)
    folder = save_experiment(config, model, tmp_path, step=7)
    again, loaded, step = load_experiment(folder, overrides=["seed=1"])
    assert (again, step) == (dataclasses.replace(config, seed=1), 7)
    for ours, theirs in zip(model.variables, loaded.variables, strict=True):
        if "seed_generator_state" not in ours.path:  # nothing draws from them
            np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


# The quickest to build; one of them has several optimizers.
@pytest.mark.parametrize(
    "family",
    [
        pytest.param(name, marks=() if name in ("convlstm", "motion_gan") else pytest.mark.slow)
        for name in TINY
    ],
)
def test_keras_file(family, models, tmp_path):
    """`save` and `keras.models.load_model`, as in the middle of a training."""
    model = models(family)
    model.configure_training(TRAINING, WarmUpCosine(1e-2, 10, 2))
    for optimizer in model.optimizers.values():
        for variable in optimizer.variables:
            variable.assign(tf.ones_like(variable) * 3)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert type(loaded) is type(model)
    assert loaded.get_config() == model.get_config()
    assert loaded.clip_norm == TRAINING.clip_norm
    pairs = [(model.variables, loaded.variables)]
    for name, optimizer in model.optimizers.items():
        pairs.append((optimizer.variables, loaded.optimizers[name].variables))
        assert float(optimizer.learning_rate) == float(loaded.optimizers[name].learning_rate)
    for ours, theirs in pairs:
        for one, other in zip(ours, theirs, strict=True):
            if "seed_generator_state" not in one.path:  # nothing draws from them
                np.testing.assert_array_equal(one, other, err_msg=one.path)


@pytest.mark.parametrize("family", ["hierarchical", "sdfnet", "motion_gan"])
def test_keras_files_hold_what_lists_of_lists_hold(family, models):
    """Older versions of Keras do not look for layers there."""
    model, store = models(family), {}
    model.save_own_variables(store)
    stored = {key: np.array(value) for key, value in store.items()}
    before = [np.array(v) for v in model.variables]
    nested = {id(v) for v in model._nested_variables()}
    assert nested
    for variable in model.variables:
        if id(variable) in nested:
            variable.assign(variable + 1)
    model.load_own_variables(stored)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value, err_msg=variable.path)


ELSEWHERE = """
import sys
import numpy as np
import tensorflow as tf
folder, *families = sys.argv[1:]
for family in families:
    given = dict(np.load(f"{folder}/{family}.npz"))
    served = tf.saved_model.load(f"{folder}/{family}")
    (name,) = set(served.signatures) - {"serving_default"}
    inputs = {key: tf.constant(given[key]) for key in given if key != "frames"}
    frames = served.signatures[name](**inputs)["frames"]
    np.testing.assert_allclose(frames, given["frames"], atol=2e-5, err_msg=family)
    print(family, name, frames.shape)
assert not any(module.split(".")[0] == "hvp" for module in sys.modules)
"""


def write_served(model: Any, folder: Path, family: str) -> None:
    """A SavedModel, and beside it what it must give of what."""
    given: dict[str, Any] = {"seed": np.array([1, 2], np.int32)}
    if family in GENERATORS:
        model.export(folder / family, num_videos=2, num_frames=3)
        given["frames"] = model.generate(2, 3, seed=(1, 2))
    else:
        given["context"] = moving_squares(family, 3)[:, :3]
        model.export(folder / family, context=3, horizon=3, num_samples=2)
        given["frames"] = model.rollout(given["context"], 3, 2, seed=(1, 2))
    np.savez(folder / f"{family}.npz", **given)


def served_elsewhere(folder: Path, families: list[str]) -> str:
    command = [sys.executable, "-c", ELSEWHERE, str(folder), *families]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_saved_models_run_without_hvp(models, tmp_path, in_graphs):
    """Of every family; loaded with another batch size than the least, in another process."""
    for family in TINY:
        write_served(models(family), tmp_path, family)
    lines = served_elsewhere(tmp_path, list(TINY)).splitlines()
    assert len(lines) == len(TINY)
    assert lines[0] == "hierarchical rollout (2, 3, 3, 32, 32, 1)"


@pytest.mark.parametrize(
    "family",
    [pytest.param(n, marks=() if n == "convlstm" else pytest.mark.slow) for n in TINY],
)
def test_summary_shows_shapes(family, models, in_graphs, capsys):
    models(family).summary()
    table = capsys.readouterr().out
    assert "?" not in table
    assert "None" in table
    first = models(family)._flatten_layers(include_self=False, recursive=False)[0]
    assert "compute_output_shape" not in vars(first)


def test_summary_of_a_model_that_was_traced(in_graphs, capsys):
    """Of blocks that share a function, none is called where that was traced before."""
    model = hvp.build_model(experiment("dfdnet"))
    video = tf.TensorSpec([None, model.min_window, *model.frame_shape])
    tf.function(model.test_step, autograph=False).get_concrete_function(video)
    model.summary()
    assert "?" not in capsys.readouterr().out


def test_export(models, tmp_path, in_graphs):
    model = models("simvp")
    write_served(model, tmp_path, "simvp")
    given = dict(np.load(tmp_path / "simvp.npz"))
    served = tf.saved_model.load(str(tmp_path / "simvp"))
    assert set(served.signatures) == {"rollout", "serving_default"}
    frames = served.rollout(tf.constant(given["context"]), tf.constant(given["seed"]))["frames"]
    np.testing.assert_allclose(frames, given["frames"], atol=2e-5)
    for wrong, message in (
        ({"horizon": 0}, "horizon must be a whole number of at least 1, received 0"),
        ({"horizon": 2, "context": 1}, "context must be at least 2, received 1"),
        ({"horizon": 2, "format": "pickle"}, "format must be one of tf_saved_model, onnx, litert"),
        ({"horizon": 2, "format": "onnx"}, "onnx files end in .onnx, received"),
    ):
        with pytest.raises(ValueError, match=message):
            model.export(tmp_path / "wrong", **wrong)


def checkpoint(folder: Path) -> dict[str, np.ndarray]:
    """Every number of a run's latest checkpoint by name."""
    reader = tf.train.load_checkpoint(str(folder / "model"))
    names = [n for n in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in n]
    return {name: reader.get_tensor(name) for name in names if "save_counter" not in name}


@pytest.mark.parametrize("family", TINY)
def test_a_resumed_run_ends_as_one_that_was_not(family, tmp_path):
    for folder, steps in (("whole", 2), ("parts", 1), ("parts", 2)):
        train(experiment(family, steps=steps), tmp_path / folder, report=lambda line: None)
    whole, parts = (checkpoint(tmp_path / folder / family) for folder in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert whole["step/.ATTRIBUTES/VARIABLE_VALUE"] == 2
    for name, value in whole.items():
        np.testing.assert_array_equal(parts[name], value, err_msg=name)


REPLICAS = """
import sys
sys.path.insert(0, sys.argv[1])
from hvp.quiet import import_tensorflow
import_tensorflow()
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.run_functions_eagerly(True)
import test_contract
test_contract.largest_change_by_replicas(sys.argv[2:])
"""
# The core, whose noise is shared out; the others are slow.
ALWAYS_ON_REPLICAS = ("hierarchical",)


class Counted(tf.distribute.ReductionToOneDevice):
    """Sums outside of graphs, where collective operations of two threads wait for each other."""

    count = 0

    def batch_reduce_implementation(self, reduce_op, pairs, options):
        self.count += len(pairs)
        return super().batch_reduce_implementation(reduce_op, pairs, options)


def largest_change_by_replicas(families: list[str]) -> None:
    """Prints, for each family, how far two updates move a weight, and how far two replicas err.

    And how many tensors an update sums over two replicas, by the number of the weights.
    """
    from hvp.training.distribution import synchronize_batch_norms

    for family in families:
        clips = tf.constant(moving_squares(family, 4))
        ends = []
        for devices in (["CPU:0"], ["CPU:0", "CPU:1"]):
            summed = Counted()
            strategy = tf.distribute.MirroredStrategy(devices, cross_device_ops=summed)
            share = len(clips) // len(devices)

            def part(context, clips=clips, share=share):
                first = context.replica_id_in_sync_group * share
                return clips[first : first + share]

            with strategy.scope():
                model = hvp.build_model(experiment(family))
                synchronize_batch_norms(model)
                model.configure_training(TRAINING)
            before = [np.array(v) for v in model.trainable_variables]
            batch = strategy.experimental_distribute_values_from_function(part)
            for step in range(2):
                strategy.run(model.step_function(step), args=(batch,))
            ends.append([np.array(v) for v in model.trainable_variables])
        moved = max(np.abs(a - b).max() for a, b in zip(before, ends[0], strict=True))
        apart = max(np.abs(a - b).max() for a, b in zip(*ends, strict=True))
        sums = summed.count / 2 / len(before)
        found = {"family": family, "moved": float(moved), "apart": float(apart), "sums": sums}
        print(json.dumps(found))


@pytest.fixture(scope="module")
def replicas(request: pytest.FixtureRequest) -> dict[str, dict[str, float]]:
    """What `largest_change_by_replicas` prints of the families that are asked for, by family."""
    families = [
        item.callspec.params["family"]
        for item in request.session.items
        if getattr(item, "originalname", "") == test_two_replicas_equal_one.__name__
        and "family" in getattr(getattr(item, "callspec", None), "params", ())
    ]
    command = [sys.executable, "-c", REPLICAS, str(Path(__file__).parent), *families]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["family"]: line for line in lines}


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(name, marks=() if name in ALWAYS_ON_REPLICAS else pytest.mark.slow)
        for name in TINY
    ],
)
def test_two_replicas_equal_one(family, replicas):
    assert replicas[family]["moved"] > 1e-3
    assert replicas[family]["apart"] < 0.01 * replicas[family]["moved"]
    if family == "hierarchical":  # without normalisations, which sum over replicas too
        assert replicas[family]["sums"] == 1.0
