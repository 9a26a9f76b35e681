"""Reading a user's own videos for a model, and predicting how they go on."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hvp.data.video_io import read_video, write_mp4
from hvp.errors import UserError
from hvp.evaluation import own_videos as module
from hvp.evaluation.own_videos import (
    PredictionSettings,
    check_prediction_settings,
    find_videos,
    is_coloured,
    predict,
    read_clip,
)
from hvp.models.base import VideoModel


class Noise(VideoModel):
    """Futures that are noise of their seed, group by group."""

    stochastic = True

    def _rollout(self, context, horizon, num_samples, seeds, masks):
        shape = (num_samples, 1, horizon, *context.shape[2:])
        return tf.random.stateless_uniform(shape, seeds[0])


class CopyLast(VideoModel):
    """Deterministic."""

    min_context = 3

    def _rollout(self, context, horizon, num_samples, seeds, masks):
        return tf.repeat(context[:, -1:], horizon, 1)[None]


def ramp(frames=12, height=20, width=30, channels=3):
    """Frame t is `10 * t`, its left half brighter; blue is missing where there are colours."""
    video = np.zeros((frames, height, width, channels), np.uint8)
    video += (10 * np.arange(frames, dtype=np.uint8))[:, None, None, None]
    video[:, :, : width // 2] += 40
    if channels == 3:
        video[..., 2] = 0
    return video


@pytest.fixture
def colour(tmp_path):
    path = tmp_path / "colour.npy"
    np.save(path, ramp())
    return path


def test_videos_of_folders(tmp_path):
    np.save(tmp_path / "b10.npy", ramp())
    np.save(tmp_path / "b9.npy", ramp())
    (tmp_path / "notes.txt").write_text("no video")
    frames = tmp_path / "frames"
    frames.mkdir()
    Image.fromarray(ramp()[0]).save(frames / "0.png")
    found = [tmp_path / "b9.npy", tmp_path / "b10.npy", frames]
    assert find_videos([tmp_path]) == found
    assert find_videos([frames]) == [frames]
    assert find_videos([frames, tmp_path, tmp_path / "absent.avi"]) == [
        frames,
        *found[:2],
        tmp_path / "absent.avi",
    ]
    # A picture beside videos is no video; beside folders it is what was meant.
    Image.fromarray(ramp()[0]).save(tmp_path / "thumbnail.png")
    assert find_videos([tmp_path]) == found
    Image.fromarray(ramp()[0]).save(frames / "1.png")
    (frames / "deeper").mkdir()
    assert find_videos([frames]) == [frames]
    with pytest.raises(UserError, match=r"deeper: holds no videos \(\.avi .* no frames \(\.png"):
        find_videos([frames / "deeper"])


def test_a_clip_is_what_the_loader_would_give(colour):
    clip = read_clip(colour, PredictionSettings(context=3, horizon=4), 16, 16, 1)
    np.testing.assert_array_equal(clip.frames, read_video(colour, 16, 16, 1)[:7])
    assert clip.size == (20, 30)
    assert clip.changes == [
        "resized from 30x20 to 16x16 (other proportions)",
        "colours turned into grey",
    ]
    kept = read_clip(colour, PredictionSettings(context=3, horizon=4, strict=True), 20, 30, 3)
    np.testing.assert_array_equal(kept.frames, ramp()[:7])
    assert kept.changes == []


@pytest.mark.parametrize(
    ("start", "every", "expected"),
    [(5, 1, range(5, 12)), (9, 1, range(9, 12)), (-3, 1, range(9, 12)), (1, 2, range(2, 12, 2))],
)
def test_which_frames_are_used(colour, start, every, expected):
    settings = PredictionSettings(context=3, horizon=4, start=start, every=every)
    clip = read_clip(colour, settings, 20, 30, 3)
    np.testing.assert_array_equal(clip.frames, ramp()[list(expected)])


def test_the_middle_is_cut_out(tmp_path):
    video = ramp(width=40)
    video[:, :, :10] = 255
    np.save(tmp_path / "a.npy", video)
    settings = PredictionSettings(context=1, horizon=1, crop="center")
    clip = read_clip(tmp_path / "a.npy", settings, 20, 20, 3)
    np.testing.assert_array_equal(clip.frames, video[:2, :, 10:30])
    assert clip.changes == ["resized from 40x20 to 20x20 (the middle of it)"]


@pytest.mark.parametrize(
    ("settings", "frame", "message"),
    [
        ({"context": 13}, (20, 30, 3), "has 12 frames; --context 13 needs 13"),
        ({"context": 3, "start": 10}, (20, 30, 3), "12 frames and 2 from --start 10 on; --conte"),
        ({"context": 3, "start": -2}, (20, 30, 3), "12 frames and 2 from --start -2 on; --conte"),
        ({"strict": True}, (16, 16, 3), "16x16 RGB frames; .* would be used resized from 30x20"),
        ({"strict": True}, (20, 30, 1), "30x20 grey frames; .* used colours turned into grey"),
        ({"strict": True}, (20, 60, 1), r"60x20 .*proportions\) and with colours turned"),
    ],
)
def test_videos_that_do_not_fit(colour, settings, frame, message):
    settings = PredictionSettings(**{"context": 2, "horizon": 4, **settings})
    with pytest.raises(UserError, match=message) as caught:
        read_clip(colour, settings, *frame)
    assert str(colour) in str(caught.value)


def test_strict_notices_frames_that_differ_in_size(tmp_path):
    for number, size in enumerate([(16, 16), (16, 16), (12, 16)]):
        Image.new("RGB", size).save(tmp_path / f"{number}.png")
    settings = PredictionSettings(context=2, horizon=1, strict=True)
    with pytest.raises(UserError, match="frame 2 has shape"):
        read_clip(tmp_path, settings, 16, 16, 3)


def test_grey_stored_as_colour_is_grey(tmp_path):
    grey = ramp(height=32, width=32, channels=1)
    write_mp4(tmp_path / "grey.mp4", grey)
    settings = PredictionSettings(context=2, horizon=2, strict=True)
    assert read_clip(tmp_path / "grey.mp4", settings, 32, 32, 1).changes == []
    np.save(tmp_path / "grey.npy", grey)
    settings = PredictionSettings(context=2, horizon=2)
    clip = read_clip(tmp_path / "grey.npy", settings, 32, 32, 3)
    assert clip.changes == ["grey repeated in three channels"]
    assert clip.frames.shape == (4, 32, 32, 3)


def test_real_videos_are_told_apart(shared_file):
    data = shared_file("data", "that real grey videos are told from coloured ones")
    grey = ["kth/person01_boxing_d1_uncomp.avi", "kth_openstl_examples/val/val_example2.avi"]
    colours = ["ucf101/v_IceDancing_g01_c01.avi", "davis2016/JPEGImages/480p/car-shadow"]
    for name in [*grey, *colours]:
        frames = read_video(data / name, 64, 64, max_frames=15)
        assert is_coloured(frames) == (name in colours), name


def clip_of(video):
    return module.OwnVideo(video, video.shape[1:3], [])


def test_samples_and_their_spread():
    model = Noise(height=8, width=8, channels=3)
    clip = clip_of(ramp(5, 8, 8))
    settings = PredictionSettings(context=3, horizon=6, num_samples=7, seed=4)
    example, deterministic = predict(model, clip, "a", settings)
    assert not deterministic
    np.testing.assert_array_equal(example.truth, clip.frames)  # ends before the predictions do
    assert example.samples.shape == (7, 6, 8, 8, 3)
    assert len(np.unique(example.samples.reshape(7, -1), axis=0)) == 7
    expected = (example.samples / 255).std(0, ddof=1).mean(-1)
    np.testing.assert_allclose(example.stddev, expected, atol=2e-3)
    again, _ = predict(model, clip, "b", settings)
    np.testing.assert_array_equal(again.samples, example.samples)
    other, _ = predict(model, clip, "a", PredictionSettings(3, 6, num_samples=7, seed=5))
    assert (other.samples != example.samples).mean() > 0.9
    one, _ = predict(model, clip, "a", PredictionSettings(3, 6, num_samples=1, seed=4))
    assert one.stddev is None


def test_equal_samples_are_one():
    settings = PredictionSettings(context=3, horizon=6, num_samples=7)
    example, deterministic = predict(
        CopyLast(height=8, width=8, channels=3), clip_of(ramp(5, 8, 8)), "a", settings
    )
    assert deterministic
    assert len(example.samples) == 1
    assert example.stddev is None
    np.testing.assert_array_equal(example.samples[0], ramp(5, 8, 8)[2:3].repeat(6, 0))


def test_what_cannot_be_predicted():
    with pytest.raises(UserError, match="--context 2: this model needs at least 3 frames"):
        check_prediction_settings(PredictionSettings(2, 4), CopyLast(height=8, width=8))
    with pytest.raises(UserError, match=r"take 20 GiB; at most 4 are .*ask for fewer"):
        check_prediction_settings(PredictionSettings(3, 2**24, 9), CopyLast(height=8, width=8))
    masked = CopyLast(height=8, width=8)
    masked.needs_masks = True
    with pytest.raises(UserError, match="segmentation masks beside the frames"):
        check_prediction_settings(PredictionSettings(3, 4), masked)


def test_predictions_that_are_not_finite(monkeypatch):
    model = CopyLast(height=8, width=8, channels=3)
    rollout = CopyLast._rollout
    monkeypatch.setattr(model, "_rollout", lambda *a: rollout(model, *a) * np.nan)
    with pytest.raises(UserError, match="prediction for broken holds NaN or Inf"):
        predict(model, clip_of(ramp(5, 8, 8)), "broken", PredictionSettings(3, 4))
