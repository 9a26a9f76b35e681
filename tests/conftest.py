"""Fixtures that several test folders share."""

from __future__ import annotations

import gc
import io
import os
import shutil
import zipfile
from pathlib import Path

import goldens
import h5py
import numpy as np
import pytest

from hvp.quiet import import_tensorflow

if "PYTEST_XDIST_WORKER" in os.environ:  # workers divide the cores among themselves
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import_tensorflow()


# Cases that compile for seconds; other cases cover what they test by default.
SLOW_CASES = (
    "test_frequency_nets.py::test_mixed_precision[dfdnet]",
    "test_frequency_nets.py::test_rollout_feeds_predictions_back[dfdnet]",
    "test_frequency_nets.py::test_losses_combine_by_weight[dfdnet]",
    "test_frequency_nets.py::test_sizes[24-32-1-8-dfdnet]",
    "test_training_trajectories.py::test_frequency_nets[dfdnet]",
    "test_contract.py::test_a_resumed_run_ends_as_one_that_was_not[dfdnet]",
    "test_contract.py::test_a_resumed_run_ends_as_one_that_was_not[sdfnet]",
    "test_contract.py::test_a_resumed_run_ends_as_one_that_was_not[simvp]",
    "test_contract.py::test_a_resumed_run_ends_as_one_that_was_not[fusion]",
    "test_contract.py::test_a_resumed_run_ends_as_one_that_was_not[motion_gan]",
    "test_contract.py::test_a_resumed_run_ends_as_one_that_was_not[svg_lp]",
    "test_contract.py::test_overfits_two_clips[dfdnet]",
    "test_frequency_nets.py::test_sizes[16-16-3-4-dfdnet]",
    "test_hierarchical.py::test_frame_sizes[128-3]",
    "test_hierarchical.py::test_frame_sizes[256-1]",
    "test_initial_values.py::test_frequency_nets[DFDNet]",
    "test_training_trajectories.py::test_frequency_nets[sdfnet]",
    "test_contract.py::test_saves_and_loads[dfdnet]",
    "test_frequency_nets.py::test_mixed_precision[sdfnet]",
    "test_frequency_nets.py::test_sizes[24-32-1-8-sdfnet]",
    "test_snippets.py::test_snippets_run[docs/tutorial.md]",
    "test_snippets.py::test_snippets_run[docs/training.md]",
    "test_snippets.py::test_snippets_run[docs/evaluation.md]",
    "test_snippets.py::test_snippets_run[docs/predicting.md]",
    "test_snippets.py::test_snippets_run[docs/generation.md]",
    "test_hierarchical_training_parity.py::test_four_steps[clockwork_vae-fresh_optimizer]",
    "test_motion_gan.py::test_a_resumed_run_equals_an_uninterrupted_one",
    "test_motion_gan.py::test_generate_with_other_motion",
    "test_contract.py::test_config_round_trip[dfdnet]",
    "test_contract.py::test_a_resumed_run_ends_as_one_that_was_not[hierarchical]",
    "test_contract.py::test_overfits_two_clips[fusion]",
    "test_contract.py::test_overfits_two_clips[motion_gan]",
    "test_contract.py::test_overfits_two_clips[sdfnet]",
    "test_benchmark.py::test_what_is_finished_is_not_done_again",
    "test_experiments_compared.py::test_a_killed_ablation_goes_on_where_it_was",
    "test_experiments_compared.py::test_other_settings_are_scored_anew",
    "test_updates.py::test_a_call_makes_as_many_as_one_function_does[1-expected0]",
    "test_updates.py::test_the_first_number_that_is_not_finite_is_known_later[1]",
    "test_motion_gan_model.py::test_keras_fit_and_evaluation",
    "test_schedules.py::test_epsilon_where_pytorch_adds_it[1000]",
    "test_frequency_filter.py::test_initial_thresholds_remove_what_the_originals_do",
    "test_report.py::test_border_tells_context_from_prediction",
    "test_report.py::test_without_gallery_the_curves_stay",
    "test_streaming.py::test_small_parts_find_what_the_whole_does[SVGLP-7]",
    "test_streaming.py::test_small_parts_find_what_the_whole_does[ConvLSTM-7]",
    "test_parts.py::test_levels_keep_their_clock_wherever_the_context_ends[14-20]",
    "test_parts.py::test_levels_keep_their_clock_wherever_the_context_ends[4-2]",
    "test_parts.py::test_skips_of_svg_lp[4-False]",
    "test_parts.py::test_parts_of_a_reconstruction_are_the_whole[<lambda>-5_2]",
    "test_contract.py::test_parts_of_a_rollout_are_the_whole[dfdnet-3]",
    "test_contract.py::test_parts_of_a_rollout_are_the_whole[sdfnet-3]",
    "test_contract.py::test_parts_of_a_rollout_are_the_whole[dfdnet-5]",
    "test_contract.py::test_parts_of_a_rollout_are_the_whole[simvp-3]",
    "test_contract.py::test_parts_of_a_rollout_are_the_whole[svg_lp-3]",
    "test_contract.py::test_parts_of_a_rollout_are_the_whole[hierarchical-3]",
    "test_streaming.py::test_small_parts_find_what_the_whole_does[ConvLSTM-1]",
    "test_parts.py::test_skips_of_svg_lp[4-True]",
    "test_parts.py::test_parts_of_a_reconstruction_are_the_whole[<lambda>-5_1]",
    "test_parts.py::test_levels_keep_their_clock_wherever_the_context_ends[9-9]",
    "test_rivals_parity.py::test_simvp[tau]",
    "test_rivals.py::test_mixed_precision[simvp_demo]",
    "test_contract.py::test_overfits_two_clips[simvp]",
    "test_contract.py::test_config_round_trip[simvp]",
    "test_contract.py::test_saves_and_loads[sdfnet]",
    "test_contract.py::test_rollout[sdfnet]",
    "test_contract.py::test_config_round_trip[sdfnet]",
    "test_contract.py::test_rollout[dfdnet]",
    "test_contract.py::test_futures_of_an_example_do_not_depend_on_its_batch_nor_on_their_number[dfdnet]",
    "test_contract.py::test_fit_refuses[dfdnet]",
    "test_contract.py::test_fit_refuses[sdfnet]",
    "test_winograd.py::test_values_and_gradients_are_those_of_direct_summation[videos]",
    "test_winograd.py::test_values_and_gradients_are_those_of_direct_summation[videos, halved]",
    "test_rivals_parity.py::test_simvp[incepu]",
    "test_peers.py::test_other_lists_and_other_programs_are_told_apart",
    "test_edited_run_folders.py::test_a_pipe_or_link_in_a_files_place[model/ckpt-3.index-mkfifo]",
    "test_contract.py::test_parts_of_a_rollout_are_the_whole[sdfnet-5]",
    "test_contract.py::test_rollout_refuses[dfdnet]",
    "test_contract.py::test_config_round_trip[svg_lp]",
    "test_contract.py::test_rollout[simvp]",
    "test_traced.py::test_a_graph_does_what_eager_code_does[svg_lp]",
    "test_memory.py::test_updates_leave_nothing_behind[mirrored-2]",
    "test_hierarchical_training_parity.py::test_four_steps[clockwork_vae-fresh_optimizer_clipped]",
    "test_metric_goldens.py::test_open_loop_metrics[1-shared/open_loop_metrics]",
    "test_metric_goldens.py::test_open_loop_metrics[3-shared/open_loop_metrics]",
    "test_normalisation.py::test_gradients_of_compiled_gradients[parts of a batch-eager]",
    "test_normalisation.py::test_gradients_of_compiled_gradients[layer-eager]",
    "test_normalisation.py::test_compiled_in_bfloat16[groups]",
    "test_hierarchical_recurrence.py::test_gradient_of_everything_that_the_ticks_read[True-True-True-False-6]",
    "test_hierarchical_recurrence.py::test_gradient_of_everything_that_the_ticks_read[False-False-True-False-6]",
    "test_hierarchical_recurrence.py::test_gradient_of_everything_that_the_ticks_read[True-False-True-False-6]",
    "test_hierarchical.py::test_every_likelihood_is_the_loss_and_is_handed_out[laplace]",
    "test_hierarchical.py::test_every_likelihood_is_the_loss_and_is_handed_out[bernoulli]",
    "test_contract.py::test_saves_and_loads[simvp]",
    "test_presets.py::test_each_predicts_as_its_card_says[simvp/moving-digits]",
    "test_presets.py::test_each_predicts_as_its_card_says[svg_lp/moving-digits]",
    "test_parts.py::test_parts_of_a_reconstruction_are_the_whole[<lambda>-1]",
    "test_rivals.py::test_svg_decodes_frames_in_both_shapes[vgg]",
    "test_hierarchical_parity.py::test_open_loop[clockwork_vae-8]",
    "test_frequency_filter.py::test_what_is_compiled_does_the_same[branches0]",
    "test_contract.py::test_parts_of_a_rollout_are_the_whole[simvp-5]",
    "test_edited_run_folders.py::test_a_pipe_or_link_in_a_files_place[model/ckpt-3.index-<lambda>]",
    "test_open_loop.py::test_batch_size_does_not_change_results_and_the_seed_does[2]",
    "test_normalisation.py::test_compiled_is_the_same[groups]",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the cases above as slow, before the marks are looked at."""
    for item in items:
        if item.nodeid.endswith(SLOW_CASES):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """What is imported by now stays: no collection of garbage has to walk through it again."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)  # tracing makes many objects, most of which stay for a while


@pytest.fixture
def eagerly():
    """Functions run eagerly: what runs once or twice is sooner done so than traced."""
    from run_files import eager_functions

    with eager_functions():
        yield


@pytest.fixture(scope="session")
def shared_file():
    """`shared_file(path, proves)`: a file or folder of `../shared`, which no user's clone has.

    A test that is skipped for want of it says what it `proves`.
    """

    def find(path: str, proves: str) -> Path:
        found = goldens.SHARED / path
        if not found.exists():
            pytest.skip(f"{found} is absent; with it this test proves {proves}")
        return found

    return find


@pytest.fixture(scope="session")
def golden():
    """`golden(name)` opens a golden file of this clone, or one of `../shared` as `shared/NAME`."""
    return goldens.open_golden


# ConvLSTM is the family that trains soonest; scheduled sampling draws, so a resumed run that draws
# otherwise ends otherwise.
SMALL_EXPERIMENT = """\
name: small
data: {height: 16, width: 16, seq_len: 4, num_digits: 1, train_videos: 10, test_videos: 4}
model: {family: convlstm, context: 1, hidden: [4], sampling_steps: 12}
training:
  batch_size: 4
  steps: 6
  learning_rate: 1.0e-3
  log_every: 2
  gifs_every: 0
  validate_every: 3
  validation_batches: 1
  checkpoint_every: 3
evaluation: {context: 2, seq_len: 4, num_examples: 4, metrics: [mse, mae, psnr, ssim]}
"""


@pytest.fixture
def small_config(tmp_path) -> Path:
    """A configuration file of an experiment that trains in seconds."""
    path = tmp_path / "small.yml"
    path.write_text(SMALL_EXPERIMENT)
    return path


@pytest.fixture(scope="session")
def small_run(tmp_path_factory) -> Path:
    """A run of `SMALL_EXPERIMENT`, 6 steps that nothing interrupted; not to be written to."""
    from run_files import quiet_train

    from hvp.config import load_config

    folder = tmp_path_factory.mktemp("small_run")
    (folder / "small.yml").write_text(SMALL_EXPERIMENT)
    return quiet_train(load_config(folder / "small.yml", ["training.gifs_every=6"]), folder)


@pytest.fixture
def copied_run(small_run, tmp_path) -> Path:
    """A copy of that run as `tmp_path/small`."""
    return Path(shutil.copytree(small_run, tmp_path / "small"))


@pytest.fixture(scope="session")
def i3d_weights() -> dict[str, np.ndarray]:
    """Random weights of I3D by the golden files' recipe: seed 400 + place among the names."""
    from unittest import mock

    from hvp.distances.i3d import I3D

    with mock.patch("hvp.distances.i3d.assign_by_name") as assign:
        I3D({})
    weights = {}
    for index, (name, variable) in enumerate(sorted(assign.call_args.args[0].items())):
        z = np.random.RandomState(400 + index).standard_normal(tuple(variable.shape))
        kind = name.split("/")[-1]
        if kind == "w":
            z *= np.sqrt(2 / np.prod(z.shape[:4]))
        elif kind == "moving_variance":
            z = 0.75 + 0.25 * z**2
        else:
            z *= 0.1 if kind == "b" else 0.2
        weights[name] = z.astype(np.float32)
    return weights


@pytest.fixture(scope="session")
def i3d_checkpoint(i3d_weights, tmp_path_factory) -> Path:
    """The folder of a TensorFlow checkpoint with `i3d_weights`."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("i3d")
    names = sorted(i3d_weights)
    tf.raw_ops.SaveV2(
        prefix=str(folder / "model.ckpt"),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[i3d_weights[name] for name in names],
    )
    return folder


@pytest.fixture(scope="session")
def i3d_network(i3d_checkpoint):
    """I3D from `i3d_checkpoint`, built and traced once for all tests."""
    from hvp.distances.i3d import I3D

    return I3D(i3d_checkpoint)


@pytest.fixture(scope="session")
def lpips_files(tmp_path_factory) -> Path:
    """A folder like that of the published LPIPS files, with seeded weights."""
    weights = goldens.open_golden("lpips_seeded").weights
    folder = tmp_path_factory.mktemp("lpips_alex")
    for index, (slice_, layer) in enumerate(((1, 0), (2, 3), (3, 6), (4, 8), (5, 10))):
        trunk, head = f"net.slice{slice_}.{layer}", f"lin{index}.model.1.weight"
        kernel = weights[f"{trunk}.weight"].transpose(3, 2, 1, 0)  # (width, height, in, out)
        variables = "layers/sequential/layers/conv2d/vars"
        content = {f"{variables}/0": kernel, f"{variables}/1": weights[f"{trunk}.bias"]}
        _write_keras_file(folder / f"slice_{slice_}_base.keras", content)
        lin = weights[head].transpose(2, 3, 1, 0)
        _write_keras_file(folder / f"lin{index}.keras", {"conv_layer/layers/conv2d/vars/0": lin})
    return folder


def _write_keras_file(path: Path, arrays: dict[str, np.ndarray]) -> None:
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", stored.getvalue())


@pytest.fixture
def lpips_weights(lpips_files, monkeypatch) -> Path:
    """`lpips_files`, taken for the published ones while the test runs."""
    from hvp.files import file_sha256
    from hvp.metrics import lpips_weights

    published = {
        name: file._replace(sha256=file_sha256(lpips_files / name))
        for name, file in lpips_weights.WEIGHTS["lpips_alex"].items()
    }
    monkeypatch.setitem(lpips_weights.WEIGHTS, "lpips_alex", published)
    return lpips_files
