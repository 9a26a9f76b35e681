"""`python -m hvp predict`, on an untrained model: what is written, and what is refused."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from run_files import eager_functions

import hvp
from hvp.__main__ import main
from hvp.data.video_io import read_video

EXPERIMENT = """\
data: {height: 32, width: 32}
model: {levels: 2, tmp_abs_factor: 2, enc_dense_embed_size: 8, channels_mult: 0.125}
evaluation: {context: 4, seq_len: 8}
"""


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """`logs/small`: a hierarchical model of 32x32 grey frames at step 0."""
    from hvp.experiment.checkpoints import save_experiment

    folder = tmp_path_factory.mktemp("logs")
    (folder / "small.yml").write_text(EXPERIMENT)
    config = hvp.load_config(folder / "small.yml")
    model = hvp.build_model(config)
    model.configure_training(config.training)
    return save_experiment(config, model, folder / "logs")


@pytest.fixture
def videos(tmp_path):
    """Two good videos, three bad ones, and what is none."""
    folder = tmp_path / "videos"
    folder.mkdir()
    random = np.random.default_rng(0)
    np.save(folder / "long.npy", random.integers(0, 256, (20, 32, 32, 1), np.uint8))
    np.save(folder / "short.npy", random.integers(0, 256, (5, 20, 44, 3), np.uint8))
    np.save(folder / "too_short.npy", random.integers(0, 256, (3, 32, 32, 1), np.uint8))
    (folder / "broken.avi").write_bytes(b"RIFF and no more")
    (folder / "empty.mp4").touch()
    (folder / "notes.txt").write_text("not a video")
    return folder


def predict(logs, inputs, out, *flags):
    arguments = ["--logdir", str(logs), "--input", *map(str, inputs), "--out", str(out)]
    with eager_functions():
        return main(["predict", *arguments, *map(str, flags)])


def test_a_folder_with_good_and_bad_videos(logs, videos, tmp_path, capsys):
    out = tmp_path / "out"
    flags = ["--context", 4, "--horizon", 6, "--samples", 3, "--seed", 1, "--format", "gif,npz"]
    assert predict(logs, [videos], out, *flags) == 2
    printed, errors = capsys.readouterr()
    assert len(errors.splitlines()) == 4
    assert f"error: {videos / 'broken.avi'}: " in errors
    assert f"error: {videos / 'empty.mp4'}: is empty" in errors
    assert f"error: {videos / 'too_short.npy'}: has 3 frames; --context 4 needs 4" in errors
    assert errors.endswith("error: 3 of 5 videos cannot be used\n")
    assert "resized from 44x20 to 32x32 (other proportions); colours turned into grey" in printed
    assert "true frames for 6 of 6" in printed
    assert "true frames for 1 of 6" in printed
    assert {path.name for path in out.iterdir()} == {"long", "short", "predictions.json"}
    about = json.loads((out / "predictions.json").read_text())
    assert [video["true_frames"] for video in about["videos"]] == [6, 1]
    assert len(about["failed"]) == 3
    assert (about["seed"], about["context"], about["horizon"]) == (1, 4, 6)
    arrays = np.load(out / "long" / "prediction.npz")
    whole = read_video(videos / "long.npy")
    np.testing.assert_array_equal(arrays["context"], whole[:4])
    np.testing.assert_array_equal(arrays["truth"], whole[4:10])
    assert arrays["samples"].shape == (3, 6, 32, 32, 1)
    assert arrays["stddev"].shape == (6, 32, 32)
    assert 0 < arrays["stddev"].max() < 1
    gif = read_video(out / "long" / "sample_3.gif", channels=1)
    np.testing.assert_array_equal(gif, arrays["samples"][2])

    # The same again, alone, from the model's folder: the same bytes.
    again = tmp_path / "again"
    assert predict(logs / "model", [videos / "long.npy"], again, *flags) == 0
    for path in (out / "long").iterdir():
        assert path.read_bytes() == (again / "long" / path.name).read_bytes(), path
    assert predict(logs, [videos / "long.npy"], again, *flags, "--seed", 2) == 0
    other = np.load(again / "long" / "prediction.npz")
    assert (other["samples"] != arrays["samples"]).any()
    # What follows the last frame, where there is no truth.
    last = ["--context", 4, "--horizon", 2, "--start", -4, "--format", "npz"]
    assert predict(logs, [videos / "long.npy"], again, *last) == 0
    arrays = np.load(again / "long" / "prediction.npz")
    np.testing.assert_array_equal(arrays["context"], whole[-4:])
    assert arrays["truth"].shape == (0, 32, 32, 1)
    assert arrays["samples"].shape == (4, 2, 32, 32, 1)


@pytest.mark.slow
def test_videos_are_thinned_and_cropped_as_in_training(logs, videos, tmp_path, capsys):
    whole = read_video(videos / "long.npy")
    wide = np.repeat(whole, 2, axis=2)[:, :, 3:-3]
    np.save(videos / "long.npy", wide)
    made = tmp_path / "prepared"
    flags = ["--size", "32", "--channels", "1", "--crop", "center", "--every", "3"]
    arguments = ["folder", "--source", str(videos), "--out", str(made), *flags]
    assert main(["prepare", *arguments]) == 2  # some of the videos are broken
    assert (made / "info.json").is_file()

    def predicted(*changes):
        capsys.readouterr()
        flags = ["--context", 4, "--horizon", 2, "--format", "npz", *changes]
        assert predict(logs, [videos / "long.npy"], tmp_path / "out", *flags) == 0
        frames = np.load(tmp_path / "out" / "long" / "prediction.npz")["context"]
        return frames, [x for x in capsys.readouterr().out.splitlines() if "as in training" in x]

    cropped = read_video(videos / "long.npy", 32, 32, 1, crop="center")
    own = ["--set", "data.frame_step=2", "--set", "data.crop=center"]
    prepared = ["--set", f"data.datadir={made}", "--set", "data.dataset=folder"]
    for changes, frames, line in (
        ([], read_video(videos / "long.npy", 32, 32, 1), []),
        (own, cropped[::2], ["as in training: --every 2, --crop center"]),
        ([*own, "--every", 1], cropped, ["as in training: --crop center"]),
        (prepared, cropped[::3], ["as in training: --every 3, --crop center"]),
        ([*prepared, "--every", 2, "--crop", "center"], cropped[::2], []),
    ):
        found, said = predicted(*changes)
        np.testing.assert_array_equal(found, frames[:4])
        assert said == line
    info = json.loads((made / "info.json").read_text())
    info["options"] |= {"every": 1, "fps": 12.5}
    (made / "info.json").write_text(json.dumps(info))
    predict(logs, [videos / "long.npy"], tmp_path / "out", *prepared)
    assert "were resampled to 12.5 frames per second" in capsys.readouterr().out
    (made / "info.json").write_text("{")
    assert predicted(*prepared)[1] == []


def test_one_bad_video_is_one_line(logs, videos, tmp_path, capsys):
    for name in ("broken.avi", "absent.avi"):
        assert predict(logs, [videos / name], tmp_path / "out") == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: {videos / name}: ")
        assert error.count("\n") == 1
        assert not (tmp_path / "out").exists()


def test_strict_refuses(logs, videos, tmp_path, capsys):
    flags = ["--context", 4, "--horizon", 2, "--strict", "--format", "npz"]
    paths = [videos / "long.npy", videos / "short.npy"]
    assert predict(logs, paths, tmp_path / "out", *flags) == 2
    assert "short.npy: the model takes 32x32 grey frames; without" in capsys.readouterr().err
    assert not (tmp_path / "out" / "short").exists()
    assert (tmp_path / "out" / "long" / "prediction.npz").is_file()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--context 0", "--context must be at least 1, found 0"),
        ("--horizon -1", "--horizon must be at least 1, found -1"),
        ("--samples 0", "--samples must be at least 1, found 0"),
        ("--every 0", "--every must be at least 1, found 0"),
        ("--seed -1", "--seed must be from 0 to 2147483647, found -1"),
        ("--fps 0", "--fps must be from 0.1 to 1000, found 0"),
        ("--format gif,webp", "--format is gif,webp: 'webp' is none of gif,mp4,png,npz"),
        ("--checkpoint 7", "no checkpoint '7'; kept: 0"),
        ("--checkpoint best", "no checkpoint 'best'; kept: 0"),
        ("--set evaluation.contxt=3", "did you mean 'evaluation.context'?"),
        ("--horizon 999999999", "3814.7 GiB of frames have to lie in"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(logs, videos, tmp_path, capsys, flags, message):
    assert predict(logs, [videos], tmp_path / "out", *flags.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "out").exists()


def test_folders_that_will_not_do(logs, videos, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "empty").mkdir()
    cases = [
        ([videos], tmp_path / "file", "choose a folder that you can write to"),
        ([videos], videos, "is the input; choose another folder"),
        ([tmp_path / "empty"], tmp_path / "out", "empty: holds no videos"),
    ]
    for inputs, out, message in cases:
        assert predict(logs, inputs, out) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert predict(tmp_path / "nowhere", [videos], tmp_path / "out") == 2
    assert "no such folder; train first" in capsys.readouterr().err


def test_without_a_checkpoint(logs, videos, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    shutil.copy(logs / "config.yml", tmp_path / "run" / "config.yml")
    assert predict(tmp_path / "run", [videos], tmp_path / "out") == 2
    assert "no checkpoint 'latest'; train first" in capsys.readouterr().err


def test_full_disk_is_not_blamed_on_the_videos(logs, videos, tmp_path, capsys, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.savez_compressed", full)
    flags = ["--context", 4, "--horizon", 2, "--format", "npz"]
    assert predict(logs, [videos / "long.npy", videos / "short.npy"], tmp_path / "out", *flags) == 2
    error = capsys.readouterr().err
    assert "the disk is full" in error
    assert error.count("\n") == 1


def test_live_needs_a_display(logs, videos, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    assert predict(logs, [videos / "long.npy"], tmp_path / "out", "--live") == 2
    assert re.match("error: --live: (there is no display|Python has no tkinter)", said(capsys))
    assert predict(logs, [videos / "long.npy"], tmp_path / "out", "--delay", 1) == 2
    assert said(capsys) == "error: --delay 1: is of --live, which is not given\n"
    assert not (tmp_path / "out").exists()


def said(capsys):
    return capsys.readouterr().err


def test_live_plays_every_frame(logs, videos, tmp_path, monkeypatch):
    played = []

    class Window:
        def __init__(self, delay):
            played.append(delay)

        def play(self, title, frames):
            played.append((title, sum(1 for _ in frames)))

    monkeypatch.setattr("hvp.drawing.live.Window", Window)
    flags = ["--context", 4, "--horizon", 6, "--samples", 2, "--live", "--delay", 0.5]
    assert predict(logs, [videos / "long.npy"], tmp_path / "out", *flags) == 0
    # The context, and every frame for itself.
    assert played == [0.5, ("long.npy", 4), *[("long.npy", 1)] * 6]
