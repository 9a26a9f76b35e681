"""The files of predictions of one's own videos."""

from __future__ import annotations

import numpy as np
from PIL import Image

from hvp.data.video_io import read_video
from hvp.drawing.examples import Example
from hvp.evaluation.own_videos import write_prediction


def test_files_of_every_format(tmp_path):
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (2, 4, 15, 14, 3), np.uint8)
    spread = random.uniform(0, 0.2, (4, 15, 14))
    truth = random.integers(0, 256, (5, 15, 14, 3), np.uint8)  # 3 of context, 2 of 4 predicted
    example = Example("clip", truth, frames, spread)
    write_prediction(example, 3, tmp_path / "a", ["gif", "mp4", "png", "npz"], fps=5)
    names = {"comparison.png", "prediction.npz"}
    names |= {f"{n}.{s}" for n in ("comparison", "sample_1", "sample_2") for s in ("gif", "mp4")}
    assert {path.name for path in (tmp_path / "a").iterdir()} == names
    comparison = read_video(tmp_path / "a" / "comparison.gif")
    video = read_video(tmp_path / "a" / "comparison.mp4")
    assert len(comparison) == len(video) == 7  # context and horizon
    sizes = zip(video.shape[1:3], comparison.shape[1:3], strict=True)
    assert all(even - odd == odd % 2 for even, odd in sizes)
    assert read_video(tmp_path / "a" / "sample_1.mp4").shape == (4, 16, 14, 3)
    assert read_video(tmp_path / "a" / "sample_1.gif").shape == (4, 15, 14, 3)
    gif = Image.open(tmp_path / "a" / "sample_1.gif")
    assert gif.info["duration"] == 200
    # Of a single sample there is no spread, so neither panel nor array.
    example = Example("clip", truth, frames[:1], None)
    write_prediction(example, 3, tmp_path / "b", ["gif", "npz"], fps=5)
    narrow = read_video(tmp_path / "b" / "comparison.gif")
    assert narrow.shape[2] < comparison.shape[2]
    assert set(np.load(tmp_path / "b" / "prediction.npz")) == {"context", "truth", "samples"}
