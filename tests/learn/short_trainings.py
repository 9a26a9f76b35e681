"""Short trainings of every family, through the trainer, and what each reaches.

`record.py` records them in `curves/`, `test_learning.py` compares with that.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from run_files import events

from hvp.config import load_config
from hvp.data.video_split import VideoSplit
from hvp.distances.frechet import frechet_distance
from hvp.experiment.checkpoints import load_experiment
from hvp.training.trainer import train

CURVES = Path(__file__).parent / "curves"
SEEDS = (0, 1, 2)
MADE = 128  # videos that a generator is judged by
VIDEOS = 32  # always the same test videos, for all seeds
SHARED = (
    "data.validation_share=0",
    "training.gifs_every=0",
    "training.log_every=1000",
    "training.checkpoint_every=1000",
)
SMALL = ("data.height=16", "data.width=16", "data.num_digits=1")


class Short(NamedTuple):
    """A short training of a shipped demo.

    Attributes:
        config: a shipped configuration.
        steps: updates.
        every: updates between two points of the curve.
        overrides: what makes it short.
        measure: of validation; `distance` for a generator, see `generated_distance`.
    """

    config: str
    steps: int
    every: int
    overrides: tuple[str, ...] = ()
    measure: str = "loss"


TRAININGS = {
    "hierarchical": Short(
        "demo",
        60,
        20,
        (
            # All residual paths, on more than the demo's ten images.
            "data.seq_len=16",
            "data.canvas=64",
            "data.images_per_digit=null",
            "model.levels=3",
            "model.tmp_abs_factor=2",
            "model.cell_stoch_size=10",
            "model.cell_initial_stddev=null",
            "model.observation_dropout=0",
            "model.residual_encoder_cell=true",
            "model.residual_decoder_cell=true",
            "training.batch_size=8",
            "training.learning_rate=2e-3",
            "training.schedule=constant",
            "training.warmup_steps=0",
        ),
    ),
    "sdfnet": Short("sdfnet_demo", 60, 20, (*SMALL, "model.involution_kernels=[1,3,5,5]")),
    "dfdnet": Short("dfdnet_demo", 45, 15, SMALL),
    "simvp": Short("simvp_demo", 100, 25, (*SMALL, "model.translator_width=64")),
    "convlstm": Short(
        "convlstm_demo", 60, 20, (*SMALL, "model.hidden=[32,32]", "model.sampling_steps=50")
    ),
    "svg_lp": Short(
        "svg_lp_demo",
        60,
        20,
        (
            "data.num_digits=1",
            "data.seq_len=8",
            "model.context=3",
            "model.code_size=32",
            "model.recurrent_size=64",
        ),
    ),
    "fusion": Short(
        "fusion_demo",
        100,
        20,
        (
            *SMALL,
            "model.predictor_filters=[8,16,32]",
            "model.translator_filters=[8,16,32]",
            "model.discriminator_filters=[8,16,32]",
        ),
        "mse",
    ),
    "motion_gan": Short(
        "motion_gan_demo",
        60,
        30,
        (
            "data.height=16",
            "data.width=16",
            "model.width_factor=0.03125",
            f"data.test_videos={MADE}",
        ),
        "distance",
    ),
}
Curve = dict[int, float]


def short_training(family: str, seed: int, logdir: Path, changes: Sequence[str] = ()) -> Curve:
    """Trains a family and returns what it measured, by step.

    Args:
        logdir: an empty folder.
        changes: overrides that spoil it, to see that it shows.
    """
    short = TRAININGS[family]
    generates = short.measure == "distance"
    config = load_config(
        short.config,
        [
            *SHARED,
            f"seed={seed}",
            f"data.test_videos={VIDEOS}",
            f"training.steps={short.steps}",
            f"training.validate_every={0 if generates else short.every}",
            f"training.checkpoint_every={short.every if generates else short.steps}",
            "training.keep_checkpoints=100",
            *short.overrides,
            *changes,
        ],
    )
    config = config.replace("training", validation_batches=VIDEOS // config.training.batch_size)
    folder = train(config, logdir, report=lambda line: None)
    if not generates:
        found = events(folder / "val")
        return {step: value for step, tag, value in found if tag == short.measure}
    return {
        step: generated_distance(folder, step)
        for step in range(short.every, short.steps + 1, short.every)
    }


def generated_distance(folder: Path, checkpoint: int) -> float:
    """Fréchet distance of coarse features of generated videos and of the test videos."""
    config, model, _ = load_experiment(folder, checkpoint)
    (real,) = VideoSplit(config.data, "test").evaluation_batches(MADE)
    made = model.generate(MADE, config.data.seq_len, seed=1)
    return frechet_distance(coarse_features(real["video"]), coarse_features(made))


def coarse_features(videos: tf.Tensor) -> np.ndarray:
    """Of every frame, 4x4 patches' colours and how far they change to the next: `(n, 96)`."""
    frames, size = videos.shape[1], videos.shape[2] // 4
    flat = tf.reshape(videos, (-1, *videos.shape[2:]))
    patches = tf.reshape(tf.nn.avg_pool2d(flat, size, size, "VALID"), (-1, frames, 48))
    change = tf.abs(patches[:, 1:] - patches[:, :-1])
    return np.asarray(tf.reshape(tf.concat([patches[:, 1:], change], axis=-1), (-1, 96)))


def margin_of(reached: Sequence[float]) -> float:
    """How far a seed may end from where it was recorded, from what the seeds reached.

    As far as they lie apart, at least 5 % of their mean: rounding on another machine, or another
    order of draws, moves an end; a family that learns worse ends farther off.
    """
    return max(max(reached) - min(reached), 0.05 * abs(float(np.mean(reached))))
