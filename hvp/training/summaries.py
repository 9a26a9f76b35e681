"""TensorBoard: scalars, throughput, and animated GIFs of open-loop predictions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from hvp.data.gif_files import encode_gif
from hvp.files import replacing, require_regular

GIF_FPS = 10
OF_OPTIMIZER = ("gradient_norm", "learning_rate")


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

    def layout(self, tags: Iterable[str]) -> None:
        """Writes the tab of custom scalars: charts that show `train` and `val` together.

        Args:
            tags: of scalars that both have.
        """
        from tensorboard.plugins.custom_scalar import layout_pb2, summary

        charts = [
            layout_pb2.Chart(
                title=tag,
                multiline=layout_pb2.MultilineChartContent(tag=[f"^{re.escape(tag)}$"]),
            )
            for tag in tags
        ]
        category = layout_pb2.Category(title="train and val together", chart=charts)
        (value,) = summary.pb(layout_pb2.Layout(category=[category])).value
        with self.writers["train"].as_default(step=0):
            tf.summary.write(value.tag, tf.make_ndarray(value.tensor), metadata=value.metadata)

    def scalars(self, split: str, values: Mapping[str, float], step: int) -> None:
        with self.writers[split].as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(shown_tag(name), value)

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


def shown_tag(name: str) -> str:
    """A scalar's name in TensorBoard, which opens the first groups of the alphabet.

    What says little of how a run is doing is grouped as `optimizer`, behind the loss.
    """
    return f"optimizer/{name}" if name.startswith(OF_OPTIMIZER) else name


def gif_context(context: int, frames: int) -> int:
    """Context length of the training GIFs: `evaluation.context`, or half of a shorter window."""
    return context if context < frames else max(1, frames // 2)


def drop_events_after(folder: Path, step: int) -> None:
    """Rewrites event files without the events of steps after `step`.

    A run that goes on from its last checkpoint repeats the steps since; TensorBoard would show
    both. A truncated last record, as a killed process leaves it, is dropped too.
    """
    for path in sorted(folder.glob("events.out.tfevents.*")):
        require_regular(path)
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
            with replacing(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
                for record in kept:
                    writer.write(record)
