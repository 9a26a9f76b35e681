"""TensorBoard: scalars, throughput, and animated GIFs of open-loop predictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from hvp.data.video_io import encode_gif
from hvp.models.base import VideoModel

GIF_FPS = 10
GAP = 2  # white pixels between panels


class RunSummaries:
    """Event files of one run: `train/` and `val/`.

    Args:
        folder: of the run.
        step: the step that training goes on from. Events of later steps, which a crash undid, are
            dropped.
    """

    def __init__(self, folder: Path, step: int):
        for name in ("train", "val"):
            drop_events_after(folder / name, step)
        self.writers = {
            name: tf.summary.create_file_writer(str(folder / name)) for name in ("train", "val")
        }

    def scalars(self, split: str, values: Mapping[str, float], step: int) -> None:
        with self.writers[split].as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def histograms(self, split: str, values: Mapping[str, np.ndarray], step: int) -> None:
        with self.writers[split].as_default(step=step):
            for name, array in values.items():
                tf.summary.histogram(name, array)

    def gif(self, split: str, name: str, frames: np.ndarray, step: int) -> None:
        """Writes `frames`, uint8 `(time, height, width, channels)`, as an animated image."""
        from tensorboard.plugins.image import metadata

        height, width = frames.shape[1:3]
        content = tf.stack([str(width), str(height), encode_gif(frames, GIF_FPS)])
        with self.writers[split].as_default(step=step):
            tf.summary.write(
                f"{name}/image_summary",
                content,
                metadata=metadata.create_summary_metadata(
                    display_name=name, description="", converted_to_tensor=True
                ),
            )

    def flush(self) -> None:
        for writer in self.writers.values():
            writer.flush()


def prediction_frames(
    model: VideoModel,
    videos: np.ndarray,
    context: int,
    num_samples: int,
    seed: int,
    masks: np.ndarray | None = None,
) -> np.ndarray:
    """Truth, open-loop predictions and the first one's error, side by side, one row a video.

    Args:
        videos: `(batch, time, height, width, channels)`, float32 in [0, 1]; the first `context`
            frames are shown to the model, and shown in every panel.
        num_samples: predictions per video.
        masks: `(batch, time, height, width)`, of a model that needs them.

    Returns:
        uint8 `(time, rows, columns, channels)`. The error panel shows (difference + 1) / 2: grey is
        right, bright is predicted too dark.
    """
    horizon = videos.shape[1] - context
    given = {} if masks is None else {"masks": masks[:, :context]}
    samples = np.asarray(model.rollout(videos[:, :context], horizon, num_samples, seed, **given))
    known = np.broadcast_to(videos[:, :context], (num_samples, *videos[:, :context].shape))
    samples = np.concatenate([known, samples], axis=2)  # (samples, batch, time, h, w, c)
    error = (videos - samples[0] + 1) / 2
    panels = np.stack([videos, *samples, error])  # (panels, batch, time, h, w, c)
    panels = np.pad(panels, ((0, 0), (0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=1)
    count, batch, time, height, width, channels = panels.shape
    tiled = panels.transpose(2, 1, 3, 0, 4, 5).reshape(
        time, batch * height, count * width, channels
    )[:, :-GAP, :-GAP]
    return np.rint(np.clip(tiled, 0, 1) * 255).astype(np.uint8)


def video_grid(videos: np.ndarray) -> np.ndarray:
    """Videos side by side in a grid about as wide as high.

    Args:
        videos: `(videos, time, height, width, channels)`, float32 in [0, 1].

    Returns:
        uint8 `(time, rows, columns, channels)`, white between the videos.
    """
    columns = int(np.ceil(np.sqrt(len(videos))))
    videos = np.pad(videos, ((0, -len(videos) % columns), *[(0, 0)] * 4), constant_values=1)
    videos = np.pad(videos, ((0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=1)
    _, time, height, width, channels = videos.shape
    tiled = videos.reshape(-1, columns, time, height, width, channels)
    tiled = tiled.transpose(2, 0, 3, 1, 4, 5).reshape(time, -1, columns * width, channels)
    return np.rint(np.clip(tiled[:, :-GAP, :-GAP], 0, 1) * 255).astype(np.uint8)


def gif_context(context: int, frames: int) -> int:
    """Context length of the training GIFs: `evaluation.context`, or half of a shorter window."""
    return context if context < frames else max(1, frames // 2)


def drop_events_after(folder: Path, step: int) -> None:
    """Rewrites event files without the events of steps after `step`.

    A run that goes on from its last checkpoint repeats the steps since; TensorBoard would show
    both. A truncated last record, as a killed process leaves it, is dropped too.
    """
    for path in sorted(folder.glob("events.out.tfevents.*")):
        kept, dropped = [], False
        records = iter(tf.data.TFRecordDataset(str(path)))
        while True:
            try:
                record = next(records).numpy()
            except StopIteration:
                break
            except tf.errors.DataLossError:
                dropped = True
                break
            if tf.compat.v1.Event.FromString(record).step > step:
                dropped = True
            else:
                kept.append(record)
        if dropped:
            temporary = path.with_name("rewriting-" + path.name)
            with tf.io.TFRecordWriter(str(temporary)) as writer:
                for record in kept:
                    writer.write(record)
            temporary.replace(path)
