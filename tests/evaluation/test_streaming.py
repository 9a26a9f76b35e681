"""An evaluation whose horizon comes in small parts finds what one in a single part does."""

from __future__ import annotations

import csv
import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp import scratch
from hvp.distances.embedding import OwnFeatures
from hvp.distances.of_predictions import PredictionDistance
from hvp.evaluation import OpenLoopSettings, evaluate, futures
from hvp.evaluation.cost import CostMeter
from hvp.evaluation.report import write_report
from hvp.evaluation.saving import PredictionFiles
from hvp.evaluation.spectra import SpectralTally
from hvp.models import SVGLP, ConvLSTM

CONTEXT, HORIZON = 3, 14


def make(family):
    keras.utils.set_random_seed(0)
    if family is SVGLP:
        return SVGLP(height=16, width=16, code_size=4, recurrent_size=4, latent_size=2, context=2)
    return ConvLSTM(height=16, width=16, hidden=[4], patch_size=4)


def batches(count=3):
    random = np.random.default_rng(0)
    video = random.uniform(size=(count, CONTEXT + HORIZON, 16, 16, 1)).astype(np.float32)
    names = [f"clip{i}" for i in range(count)]
    return tf.data.Dataset.from_tensor_slices({"video": video, "name": names}).batch(2)


def found(family, folder, **settings):
    model = make(family)
    metrics = ("mse", "psnr", "ssim", "frequency_3d")
    settings = OpenLoopSettings(CONTEXT, HORIZON, **{"metrics": metrics, **settings})
    network = OwnFeatures("means", lambda videos: np.asarray(videos).mean((2, 3, 4)), {})
    distance = PredictionDistance(network, CONTEXT, HORIZON, "out", min_frames=1)
    files = PredictionFiles(folder, ["npz", "gif"], CONTEXT, settings.num_samples)
    result = evaluate(model, batches(), settings, None, distance, CostMeter(model), files)
    return result, distance


def flat(value, name=""):
    """Every number of nested results, by its path."""
    if dataclasses.is_dataclass(value):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {k: v for key, x in value.items() for k, v in flat(x, f"{name}/{key}").items()}
    if isinstance(value, list):
        return {k: v for i, x in enumerate(value) for k, v in flat(x, f"{name}/{i}").items()}
    return {name: value}


def assert_equal(one, other):
    one, other = flat(one), flat(other)
    assert one.keys() == other.keys()
    for name, value in one.items():
        if isinstance(value, np.ndarray | float) and "/cost/" not in name:
            rounding = 1.0 if np.asarray(value).dtype == np.uint8 else 2e-5
            np.testing.assert_allclose(
                np.asarray(other[name], float), np.asarray(value, float),
                rtol=2e-3, atol=rounding, err_msg=name,
            )  # fmt: skip


@pytest.mark.parametrize(("family", "samples"), [(SVGLP, 7), (ConvLSTM, 7), (ConvLSTM, 1)])
def test_small_parts_find_what_the_whole_does(family, samples, tmp_path, monkeypatch):
    """Also where all that can is on disk."""
    whole, of_whole = found(family, tmp_path / "whole", num_samples=samples)
    monkeypatch.setattr(futures, "MOST_FRAMES", 3)
    monkeypatch.setattr(futures, "LEAST_FRAMES", 1)
    monkeypatch.setattr(scratch, "IN_MEMORY", 0)
    parts, of_parts = found(family, tmp_path / "parts", num_samples=samples)
    assert isinstance(parts.gallery[0].samples, np.memmap)
    assert not isinstance(whole.gallery[0].samples, np.memmap)
    assert_equal(whole, parts)
    for kind in ("_real", "_fake"):
        one, other = (np.concatenate(getattr(x, kind)) for x in (of_whole, of_parts))
        np.testing.assert_allclose(one, other, atol=1 / 255)
    files = {p.relative_to(tmp_path / "whole") for p in (tmp_path / "whole").rglob("*.*")}
    assert files == {p.relative_to(tmp_path / "parts") for p in (tmp_path / "parts").rglob("*.*")}
    for path in (x for x in files if x.suffix == ".npz"):
        one, other = np.load(tmp_path / "whole" / path), np.load(tmp_path / "parts" / path)
        assert set(one) == set(other)
        for name in set(one) - {n for n in one if n.startswith(("best", "worst"))}:
            atol = 1 if one[name].dtype == np.uint8 else 1e-5
            np.testing.assert_allclose(
                one[name].astype(float), other[name].astype(float), atol=atol
            )
    rows = [list(csv.reader((tmp_path / x / "samples.csv").open())) for x in ("whole", "parts")]
    assert len(rows[0]) == len(rows[1]) == 1 + 3 * samples
    write_report(parts, tmp_path, {})


def test_bytes_are_scored_as_floats_are(eagerly):
    video = np.random.default_rng(0).integers(0, 256, (2, 8, 16, 16, 1), np.uint8)
    settings = OpenLoopSettings(CONTEXT, 5, num_samples=2, metrics=("mse", "ssim", "frequency_3d"))
    one, other = (
        evaluate(make(SVGLP), [{"video": x, "name": ["a", "b"]}], settings)
        for x in (tf.constant(video), tf.cast(video, tf.float32) / 255.0)
    )
    for ours, theirs in zip(flat(one).items(), flat(other).items(), strict=True):
        np.testing.assert_equal(ours, theirs)


def test_arrays_on_disk_are_arrays(monkeypatch):
    monkeypatch.setattr(scratch, "IN_MEMORY", 10)
    array = scratch.scratch_array((3, 5), np.int16)
    assert isinstance(array, np.memmap)
    assert not array.any()
    array[1] = 7
    scratch.release(array, array[1:2], np.zeros(3))
    np.testing.assert_array_equal(array, [[0] * 5, [7] * 5, [0] * 5])


def test_what_no_disk_holds_is_said(monkeypatch):
    from hvp.errors import UserError

    with pytest.raises(UserError, match=r"GiB of frames have to lie in .*ask for fewer frames"):
        scratch.scratch_array((2**50,), np.uint8)


def test_spectra_of_a_video_on_disk(monkeypatch):
    monkeypatch.setattr(scratch, "IN_MEMORY", 0)
    video = np.random.default_rng(0).random((2, 5, 8, 8, 1), np.float32)
    stored = scratch.scratch_array(video.shape, np.float32)
    stored[:] = video
    one, other = SpectralTally(), SpectralTally()
    one.update(video, video[::-1])
    other.update(stored, stored[::-1])
    assert_equal(one.spectra(), other.spectra())
