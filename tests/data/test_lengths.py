"""`auto` lengths follow from the videos."""

from __future__ import annotations

import numpy as np
import pytest

from hvp.config import AUTO, load_config, parse_config
from hvp.data.lengths import with_lengths
from hvp.data.video_split import VideoSplit
from hvp.errors import UserError
from hvp.training.checks import resolved


def experiment(folder, **data):
    lengths = {"context": "auto", "seq_len": "auto"}
    data = {"dataset": "folder", "datadir": str(folder), "seq_len": "auto", **data}
    content = {"name": "own", "data": {**data, "height": 8, "width": 8}, "evaluation": lengths}
    return parse_config(content, "own.yml")


def write(folder, **frames):
    folder.mkdir(exist_ok=True)
    for name, count in frames.items():
        np.save(folder / f"{name}.npy", np.zeros((count, 8, 8, 1), np.uint8))
    return folder


def lengths(config):
    return config.data.seq_len, config.evaluation.context, config.evaluation.seq_len


def test_lengths_follow_from_the_videos(tmp_path):
    said = []
    folder = write(tmp_path / "videos", a=25, b=60, c=45)  # c is for testing
    config = experiment(folder, cache_dir=str(tmp_path / "cache"))
    assert lengths(with_lengths(config, said.append)) == (25, 12, 45)
    assert said == [
        "lengths: training videos of 25 to 60 frames, windows of 25; test videos of 45 frames, 45 "
        "evaluated; 12 shown, 33 predicted"
    ]
    assert lengths(with_lengths(config.replace("data", frame_step=2))) == (12, 6, 22)
    assert lengths(with_lengths(config.replace("evaluation", seq_len=30))) == (25, 12, 30)
    write(folder, a=200)
    assert lengths(with_lengths(config)) == (32, 16, 45)


def test_a_run_that_has_begun_keeps_its_lengths(tmp_path):
    folder, run = write(tmp_path / "videos", a=25, b=60, c=45), tmp_path / "run"
    config = experiment(folder, cache_dir=str(tmp_path / "cache"))
    (run / "model").mkdir(parents=True)
    with_lengths(config).save(run / "config.yml")
    write(folder, a=20)
    assert lengths(resolved(config, run, print)) == (20, 10, 40)
    (run / "model/ckpt-1.index").touch()
    assert lengths(resolved(config, run, print)) == (25, 12, 45)


def test_auto_is_saved_as_such_and_refused_where_it_cannot_be(tmp_path):
    config = load_config("own")
    assert lengths(config) == (AUTO, AUTO, AUTO)
    config.save(tmp_path / "own.yml")
    assert load_config(tmp_path / "own.yml") == config
    with pytest.raises(UserError, match=r"data.seq_len is auto; hvp.data.with_lengths"):
        VideoSplit(config.data, "train")
    generated = load_config("demo", ["data.seq_len=auto"])
    with pytest.raises(UserError, match=r"data.seq_len cannot be auto: moving_mnist is generated"):
        with_lengths(generated)
    with pytest.raises(UserError, match=r"'data.seq_len' must be an integer, found 'car'"):
        load_config("demo", ["data.seq_len=car"])
