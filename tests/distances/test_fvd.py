"""`python -m hvp fvd` on folders and on an experiment, and FVD while a generator trains."""

import json

import numpy as np
import pytest
import tensorflow as tf

import hvp
import hvp.experiment.checkpoints
import hvp.training.trainer
from hvp.__main__ import main
from hvp.data.gif_files import write_gif
from hvp.distances.clips import FolderClips, GeneratedClips, SplitClips
from hvp.distances.protocols import VideoProtocol
from hvp.errors import UserError
from hvp.models.base import VideoModel
from hvp.models.seeds import fold_in


class Noise(VideoModel):
    """A generator of noise of a learned mean brightness; trains, but hardly learns."""

    min_window = 9

    def build_layers(self):
        self.brightness = self.add_weight(shape=(), initializer="ones", name="brightness")

    def compute_objective(self, batch, seed, training):
        loss = tf.square(self.brightness - tf.reduce_mean(batch))
        return loss, {"loss": loss}

    def _generate(self, num_videos, num_frames, seed):
        shape = (num_videos, num_frames, *self.frame_shape)
        return tf.random.stateless_uniform(shape, fold_in(seed, 0)) * self.brightness


class Predictor(Noise):
    """Does not generate."""

    _generate = VideoModel._generate


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HVP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("HVP_I3D_WEIGHTS", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def loaded(i3d_checkpoint, i3d_network, monkeypatch):
    """Loading `i3d_checkpoint` gives the network that was loaded before, which saves seconds."""
    load = {str(i3d_checkpoint): i3d_network}.get
    monkeypatch.setattr("hvp.distances.i3d.I3D", load)


def write_videos(folder, count, frames=10, size=(16, 16), seed=0, channels=()):
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for index in range(count):
        video = random.integers(0, 256, (frames, *size, *channels), np.uint8)
        np.save(folder / f"{index}.npy", video)
    return folder


def fails(capsys, *arguments):
    assert main(["fvd", *map(str, arguments)]) == 2
    *notes, error = capsys.readouterr().err.splitlines(keepends=True)
    assert all(note.startswith("left out: ") for note in notes)
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


# Clips -------------------------------------------------------------------------------------


def test_folder_clips_follow_the_seed_and_leave_out_short_videos(tmp_path, capsys):
    folder = write_videos(tmp_path / "videos", 6, frames=25)
    write_videos(tmp_path / "videos" / "short", 2, frames=20)  # looked for at any depth
    protocol = VideoProtocol(6, 24, stride=2)
    (clips,) = FolderClips(folder, protocol, seed=3).batches()
    assert clips.shape == (6, 12, 16, 16, 3)
    assert "left out: 2 videos" in capsys.readouterr().err
    videos = [np.load(folder / f"{index}.npy") for index in range(6)]
    starts = []
    for clip in clips[..., 0]:
        found = [
            (index, start)
            for index, video in enumerate(videos)
            for start in (0, 1)
            if np.array_equal(clip, video[start : start + 24 : 2])
        ]
        assert len(found) == 1
        starts += found
    assert sorted(index for index, _ in starts) == list(range(6))
    assert {start for _, start in starts} == {0, 1}  # not all from the first frame
    again = np.concatenate(list(FolderClips(folder, protocol, seed=3).batches()))
    np.testing.assert_array_equal(again, clips)
    other = np.concatenate(list(FolderClips(folder, protocol, seed=4).batches()))
    assert not np.array_equal(other, clips)


def test_folder_digest_changes_with_content_and_choice(tmp_path):
    folder = write_videos(tmp_path / "videos", 3)
    protocol = VideoProtocol(2, 9)
    digest = FolderClips(folder, protocol, seed=0).content_sha256()
    assert FolderClips(folder, protocol, seed=0).content_sha256() == digest
    others = [
        FolderClips(folder, protocol, seed=1),
        FolderClips(folder, VideoProtocol(3, 9), seed=0),
        FolderClips(folder, protocol, seed=0, resolution=(8, 8)),
        FolderClips(folder, protocol, seed=0, channels=1),
    ]
    digests = {clips.content_sha256() for clips in others}
    write_videos(folder, 1, seed=9)  # another 0.npy
    digests.add(FolderClips(folder, protocol, seed=0).content_sha256())
    assert len(digests - {digest}) == 5


def test_split_clips_take_many_videos_before_many_clips_of_one(tmp_path):
    for name in ("train", "test"):
        write_videos(tmp_path / name, 3, frames=30)  # three clips of 9 frames each
    config = hvp.config.DataConfig(
        dataset="folder", datadir=str(tmp_path), height=16, width=16, seq_len=9
    )
    split = hvp.data.video_split.VideoSplit(config, "train", seq_len=9)
    clips = SplitClips(split, VideoProtocol(5, 9), seed=0, name="train")
    videos = [split.window(number).video for number in clips.windows]
    assert len(set(videos[:3])) == 3
    assert len(set(clips.windows)) == 5
    assert clips.about["different_videos"] == 3
    (frames,) = clips.batches()
    first = split.window(clips.windows[0])
    source = np.load(tmp_path / first.video)[first.first : first.first + 9]
    np.testing.assert_array_equal(frames[0, ..., 0], source)
    assert SplitClips(split, VideoProtocol(5, 9), 1, "train").content_sha256() != (
        clips.content_sha256()
    )
    with pytest.raises(UserError, match="train: holds 9 clips of 9 frames; fvd10_9f needs 10"):
        SplitClips(split, VideoProtocol(10, 9), seed=0, name="train")


def test_generated_clips():
    model = Noise(height=16, width=16)
    batches = list(GeneratedClips(model, VideoProtocol(5, 18, stride=2), 7, batch_size=2).batches())
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert batches[0].shape == (2, 9, 16, 16, 1)
    assert not np.array_equal(batches[0], batches[1])
    expected = model.generate(1, 18, seed=(7, 4)).numpy()[:, ::2]
    np.testing.assert_array_equal(batches[2], np.rint(expected * 255).astype(np.uint8))
    model.brightness.assign(np.nan)
    with pytest.raises(UserError, match="NaN or Inf"):
        next(GeneratedClips(model, VideoProtocol(5, 9), 7).batches())
    with pytest.raises(UserError, match="predicts and does not generate"):
        GeneratedClips(Predictor(), VideoProtocol(5, 9), 7)


# The command -------------------------------------------------------------------------------


def test_two_folders(tmp_path, i3d_checkpoint, i3d_network, cache, capsys):
    real = write_videos(tmp_path / "real", 3, frames=9, channels=(3,))
    fake = tmp_path / "fake"
    fake.mkdir()
    random = np.random.default_rng(1)
    for index in range(3):
        write_gif(fake / f"{index}.gif", random.integers(0, 256, (9, 16, 16, 1), np.uint8))
    arguments = ["--real", real, "--fake", fake, "--weights", i3d_checkpoint]
    assert main(["fvd", *map(str, arguments), "--protocol", "fvd3_9f"]) == 0
    (path,) = tmp_path.glob("fake_fvd3_9f_weights_*.json")
    record = json.loads(path.read_text())
    network = i3d_network
    clips = [np.load(real / f"{i}.npy") for i in range(3)]
    generated = [hvp.data.video_io.read_video(fake / f"{i}.gif") for i in range(3)]
    expected = hvp.distances.frechet_distance(
        network.embed(np.stack(clips)), network.embed(np.stack(generated))
    )
    assert record["value"] == pytest.approx(expected, rel=1e-4)
    assert record["real"]["height"] == 16
    assert f"{record['value']:.3f}" in capsys.readouterr().out
    assert len(list((cache / "fvd").glob("fvd3_9f-*.npz"))) == 1


def test_the_same_videos_are_no_distance_apart(tmp_path, i3d_checkpoint, loaded, cache):
    real = write_videos(tmp_path / "real", 3, frames=9)
    values = []
    for fake in (real, write_videos(tmp_path / "fake", 3, frames=9, seed=1)):
        arguments = ["--real", real, "--fake", fake, "--weights", i3d_checkpoint]
        arguments += ["--protocol", "fvd3_9f", "--out", tmp_path / "out.json"]
        assert main(["fvd", *map(str, arguments)]) == 0
        values.append(json.loads((tmp_path / "out.json").read_text())["value"])
        assert len(list((cache / "fvd").iterdir())) == 1  # kept, and taken the second time
    assert abs(values[0]) < 1e-3 * values[1]


def test_mistakes_are_one_line(tmp_path, loaded, i3d_checkpoint, capsys):
    real = write_videos(tmp_path / "real", 3)
    fake = write_videos(tmp_path / "fake", 3, size=(8, 8))
    folders = ["--real", real, "--fake", fake]
    weights = ["--weights", i3d_checkpoint]
    assert "FVD needs the weights of I3D: download" in fails(capsys, *folders)
    assert "--weights" in fails(capsys, *folders, "--weights", tmp_path / "nowhere")
    few = fails(capsys, *folders, *weights)
    assert f"{real}: holds 3 videos; fvd2048_16f needs 2048; --protocol fvd3_16f" in few
    short = fails(capsys, *folders, *weights, "--protocol", "fvd2_8f")
    assert "at least 9 frames, found 8" in short
    sizes = fails(capsys, *folders, *weights, "--protocol", "fvd3_9f")
    assert "--resolution 8x8" in sizes
    lengths = fails(capsys, "--real", real, "--fake", real, *weights, "--protocol", "fvd3_11f")
    assert "0 of 3 videos have the 11 frames of a clip; fvd3_11f needs 3" in lengths
    assert "no such folder" in fails(capsys, "--real", tmp_path / "no", "--fake", fake, *weights)
    wrong = fails(capsys, *folders, *weights, "--resolution", "64x")
    assert "--resolution is 64x; expected pixels" in wrong
    assert "needs --real" in fails(capsys, "--fake", fake, *weights)
    assert "no --set" in fails(capsys, *folders, *weights, "--set", "seed=1")


def test_one_odd_video_is_named(tmp_path, loaded, i3d_checkpoint, capsys):
    real = write_videos(tmp_path / "real", 3)
    np.save(real / "1.npy", np.zeros((10, 16, 8), np.uint8))
    arguments = ["--real", real, "--fake", real, "--weights", i3d_checkpoint]
    error = fails(capsys, *arguments, "--protocol", "fvd3_9f")
    assert "1.npy: has frames of 16x8" in error
    arguments += ["--protocol", "fvd3_9f", "--resolution", "16x16"]
    assert main(["fvd", *map(str, arguments)]) == 0


# Training ----------------------------------------------------------------------------------


@pytest.fixture
def generator_config(tmp_path, monkeypatch, i3d_checkpoint, loaded):
    """An experiment whose model is `Noise`; its configuration is of another family's kind."""

    def build(config):
        data = config.data
        return Noise(height=data.height, width=data.width, channels=data.channels)

    monkeypatch.setattr(hvp.training.trainer, "build_checked_model", build)
    monkeypatch.setattr(hvp.experiment.checkpoints, "build_checked_model", build)
    monkeypatch.setattr("hvp.experiment.folder.require_generator", lambda folder, config: None)
    path = tmp_path / "noise.yml"
    path.write_text(
        f"""
name: noise
data: {{height: 16, width: 16, seq_len: 9, num_digits: 1, train_videos: 4, test_videos: 2}}
training: {{batch_size: 2, steps: 2, gifs_every: 0, validate_every: 0, fvd_every: 1,
            fvd_protocol: fvd3_9f, learning_rate: 1.0e-1}}
evaluation: {{fvd_weights: {i3d_checkpoint}}}
"""
    )
    return path


@pytest.mark.slow
def test_training_measures_and_records_it(generator_config, tmp_path, cache):
    lines = []
    folder = hvp.training.train(hvp.load_config(generator_config), tmp_path / "logs", lines.append)
    records = [json.loads(path.read_text()) for path in sorted((folder / "fvd").iterdir())]
    assert [record["fake"]["checkpoint_step"] for record in records] == [1, 2]
    label = records[0]["metric"]
    assert label.startswith("fvd3_9f_weights_")
    assert records[0]["value"] != records[1]["value"]
    assert records[0]["real"]["videos_of"] == "moving_mnist, training split"
    assert len(list((cache / "fvd").iterdir())) == 1  # the real clips were embedded once
    assert any(line == f"step 2  {label} {records[1]['value']:.4g}" for line in lines)
    (events,) = (folder / "val").glob("events.*")
    logged = [
        (value.tag, event.step, tf.make_ndarray(value.tensor).item())
        for event in (
            tf.compat.v1.Event.FromString(record.numpy())
            for record in tf.data.TFRecordDataset(str(events))
        )
        for value in event.summary.value
    ]
    for record, (tag, step, value) in zip(records, logged, strict=True):
        assert (tag, step) == (f"fvd/{label}", record["fake"]["checkpoint_step"])
        assert value == pytest.approx(record["value"], rel=1e-5)

    # the checkpoint of the lowest is the best one, without any validation
    best = min(records, key=lambda record: record["value"])
    score = json.loads((folder / "model/best/score.json").read_text())
    assert score["metric"] == f"fvd/{label}"
    assert score["value"] == pytest.approx(best["value"])
    assert score["step"] == best["fake"]["checkpoint_step"]

    # the command finds the same number again from the checkpoint, with the same clips
    seed = ["--seed", "0", "--out", str(tmp_path / "again.json")]
    assert main(["fvd", "--logdir", str(folder), *seed]) == 0
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["value"] == pytest.approx(records[1]["value"], rel=1e-6)
    assert again["metric"] == label
    assert len(list((cache / "fvd").iterdir())) == 1

    # and another one on the network that needs no weights, of shorter clips
    small = ["--features", "small", "--protocol", "fvd4_4f", "--out", str(tmp_path / "small.json")]
    assert main(["fvd", "--logdir", str(folder), *small]) == 0
    record = json.loads((tmp_path / "small.json").read_text())
    assert record["metric"] == "fvd4_4f_small"
    assert record["kernel_distance"]["value"] > 0
    assert record["neighbourhoods"] is None  # which need more than five


def test_training_refuses_what_it_cannot_measure(generator_config, tmp_path, monkeypatch):
    def refused(*overrides):
        with pytest.raises(UserError) as caught:
            hvp.training.train(hvp.load_config(generator_config, overrides), tmp_path / "logs")
        return str(caught.value)

    missing = refused("evaluation.fvd_weights=null")
    assert "training.fvd_every is 1: FVD needs the weights of I3D" in missing
    assert "evaluation.fvd_weights" in missing
    assert not (tmp_path / "logs").exists()  # at the start, before anything else
    assert "unknown FVD protocol" in refused("training.fvd_protocol=fvd")
    assert "holds 4 clips" in refused("training.fvd_protocol=fvd5_9f")
    monkeypatch.setattr(hvp.training.trainer, "build_checked_model", lambda config: Predictor())
    assert "predicts and does not generate" in refused()
