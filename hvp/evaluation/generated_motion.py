"""How much generated videos move and differ, and how far they are from real ones as a set.

The distances here are on the features of the small network that comes with hvp, which needs no
download; FVD as the literature has it needs I3D's weights, `hvp fvd` measures it.
"""

from __future__ import annotations

import numpy as np

from hvp.config import ExperimentConfig
from hvp.data.video_split import VideoSplit
from hvp.distances.frechet import frechet_distance
from hvp.distances.sets import compare_sets
from hvp.distances.small_network import SmallVideoNetwork
from hvp.drawing.examples import Example
from hvp.evaluation.plain import fact
from hvp.evaluation.scores import Measure, Scores
from hvp.metrics.statistics import ClusteredMean
from hvp.models.base import VideoModel
from hvp.pixels import to_uint8

CHANGE, VARIETY = "Change between frames", "Difference between videos"
FRECHET, PRECISION, RECALL = "Fréchet distance", "precision", "recall"
KERNEL_UNIT = 1e6  # the numbers are small
KERNEL, KERNEL_DEVIATION = "kernel distance x 10⁶", "its standard deviation"
FEWEST = 8  # videos of a set: `compare_sets` looks at each one's neighbours


def scores_of_generator(model: VideoModel, split: VideoSplit, config: ExperimentConfig) -> Scores:
    """Compares as many generated videos with real ones.

    - change between frames: mean absolute difference of frames k apart, a curve over k, and for
      k = 1 of each video;
    - difference between videos: mean absolute difference of each video to the next, frame by frame.

    Both are of frames in [0, 1] and best where they are nearest to the real videos'. Facts are the
    set's distances (`SmallVideoNetwork`), and the protocol says what real videos of the training
    split have.

    Args:
        model: a generator.
        split: real test videos, of as many frames as are generated.
        config: `evaluation` says how many videos, and how many at a time.
    """
    wanted = config.evaluation
    real = _real_videos(split, config)
    others = _real_videos(
        VideoSplit(config.data, "train", seq_len=split.seq_len, seed=config.seed), config
    )
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
        facts=_distances(generated, real),
        protocol=(
            f"{len(generated)} generated videos of {split.seq_len} frames, beside as many real "
            "ones of the test split; distances on the features of hvp's small network, which "
            f"compare with nobody else's ({_in_words(_distances(others, real))} for "
            f"{len(others)} real videos of the training split)"
        ),
        example=Example("videos of the same number", real[0], generated[:1], None),
    )


def _real_videos(split: VideoSplit, config: ExperimentConfig) -> np.ndarray:
    wanted = config.evaluation
    windows = split.choose_windows(wanted.num_examples, wanted.windows)
    batches = split.evaluation_batches(wanted.batch_size, windows=windows)
    return np.concatenate([to_uint8(batch["video"].numpy()) for batch in batches])


def _distances(videos: np.ndarray, real: np.ndarray) -> dict[str, float | None]:
    """Of two sets, and shares of them; None where there are too few videos or frames."""
    names = (FRECHET, KERNEL, KERNEL_DEVIATION, PRECISION, RECALL)
    if min(len(videos), len(real)) < FEWEST or real.shape[1] < SmallVideoNetwork.min_frames:
        return dict.fromkeys(names)
    network = SmallVideoNetwork()
    a, b = network.embed(real), network.embed(videos)
    sets = compare_sets(a, b)
    kernel, near = sets["kernel_distance"], sets["neighbourhoods"]
    scaled = [kernel["value"] * KERNEL_UNIT, kernel["stddev"] * KERNEL_UNIT]
    values = [float(frechet_distance(a, b)), *scaled, near["precision"], near["recall"]]
    return dict(zip(names, values, strict=True))


def _in_words(distances: dict[str, float | None]) -> str:
    return ", ".join(f"{name} {fact(value)}" for name, value in distances.items())


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
