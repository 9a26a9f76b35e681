"""How much generated videos move and differ, beside real ones: what needs no network to be judged.

The Fréchet video distance says more and needs I3D's weights; `hvp fvd` measures it.
"""

from __future__ import annotations

import numpy as np

from hvp.config import ExperimentConfig
from hvp.data.video_split import VideoSplit
from hvp.drawing.examples import Example
from hvp.evaluation.scores import Measure, Scores
from hvp.metrics.statistics import ClusteredMean
from hvp.models.base import VideoModel
from hvp.pixels import to_uint8

CHANGE, VARIETY = "Change between frames", "Difference between videos"


def scores_of_generator(model: VideoModel, split: VideoSplit, config: ExperimentConfig) -> Scores:
    """Compares as many generated videos with real ones.

    - change between frames: mean absolute difference of frames k apart, a curve over k, and for
      k = 1 of each video;
    - difference between videos: mean absolute difference of each video to the next, frame by frame.

    Both are of frames in [0, 1] and best where they are nearest to the real videos'.

    Args:
        model: a generator.
        split: real videos, of as many frames as are generated.
        config: `evaluation` says how many videos, and how many at a time.
    """
    wanted = config.evaluation
    windows = split.choose_windows(wanted.num_examples, wanted.windows)
    batches = split.evaluation_batches(wanted.batch_size, windows=windows)
    real = np.concatenate([to_uint8(batch["video"].numpy()) for batch in batches])
    made = []
    for first in range(0, len(real), wanted.batch_size):
        count = min(wanted.batch_size, len(real) - first)
        videos = model.generate(count, split.seq_len, seed=(config.seed, first))
        made.append(to_uint8(np.asarray(videos)))
    generated = np.concatenate(made)
    return Scores(
        reference="real videos",
        videos=[f"generated {i}" for i in range(len(generated))],
        measures={"change": _changes(generated, real), "variety": _variety(generated, real)},
        facts={},
        protocol=(
            f"{len(generated)} generated videos of {split.seq_len} frames, beside as many real "
            "ones of the test split"
        ),
        example=Example("videos of the same number", real[0], generated[:1], None),
    )


def _changes(generated: np.ndarray, real: np.ndarray) -> Measure:
    lags = range(1, real.shape[1])

    def rows(videos: np.ndarray) -> np.ndarray:  # (videos, lags)
        return np.stack(
            [np.stack([_apart(video[k:], video[:-k]).mean() for k in lags]) for video in videos]
        )

    return _measured(CHANGE, "frames apart", rows(generated), rows(real))


def _variety(generated: np.ndarray, real: np.ndarray) -> Measure:
    def rows(videos: np.ndarray) -> np.ndarray:  # (videos, frames)
        pairs = zip(videos, np.roll(videos, 1, axis=0), strict=True)
        return np.stack([_apart(one, other).mean((1, 2, 3)) for one, other in pairs])

    return _measured(VARIETY, "frame", rows(generated), rows(real))


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Absolute differences on the scale 0 to 1."""
    return np.abs(one.astype(np.float32) - other.astype(np.float32)) / 255.0


def _measured(label: str, axis: str, generated: np.ndarray, real: np.ndarray) -> Measure:
    """Of `(videos, places)`; a video's value is that of the first place."""
    tally = ClusteredMean()
    tally.update(generated, [str(i) for i in range(len(generated))])
    return Measure(
        label=label,
        higher_is_better=None,
        decimals=4,
        axis=axis,
        values=generated[:, 0].tolist(),
        curve=tally.mean.tolist(),
        interval=tally.interval().tolist(),
        reference=real[:, 0].tolist(),
        reference_curve=real.mean(0).tolist(),
    )
