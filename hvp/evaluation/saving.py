"""Writes what an evaluation predicts while it goes, example by example."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from hvp.drawing.comparison import GIF_FPS
from hvp.drawing.examples import Example, Gallery
from hvp.errors import writing
from hvp.evaluation.own_videos import write_prediction
from hvp.metrics.registry import METRICS
from hvp.text import folder_names

TABLE = "samples.csv"


class PredictionFiles:
    """A folder with the predictions of an evaluation.

    Those of one batch are held until its scores are there: in memory, long ones on disk.

    Every example gets a folder, `0001_NAME`, as `write_prediction` writes it, with all its samples.
    Of several samples the best and the worst by each metric have names of their own:
    `best_psnr.gif`, `worst_psnr.gif`, and in `prediction.npz` their places among `samples`, counted
    from 0. `samples.csv` has the score of every sample, counted from 1.

    Args:
        folder: is made if need be.
        formats: of `gif`, `mp4`, `png`, `npz`.
        context: frames of each video that the model was shown.
        num_samples: of each example.
        limit: examples at most, the first ones; `None` for all.

    Raises:
        UserError: if the folder cannot be written to.
    """

    def __init__(
        self,
        folder: Path,
        formats: Sequence[str],
        context: int,
        num_samples: int,
        limit: int | None = None,
    ) -> None:
        self._folder, self._formats = folder, formats
        self._context, self._num_samples, self._limit = context, num_samples, limit
        self._written = 0
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def begin(self, video: np.ndarray | tf.Tensor, names: list[str]) -> None:
        """A batch's context and truth, `(batch, time, height, width, channels)`."""
        left = len(names) if self._limit is None else max(0, self._limit - self._written)
        horizon, samples = video.shape[1] - self._context, self._num_samples
        self._gallery = Gallery(video[:left], names, samples, samples, horizon)

    def add(self, predicted: tf.Tensor, first: int = 0) -> None:
        """Further samples of the batch, `(samples, batch, frames, height, width, channels)`.

        Args:
            first: number of their first frame in the horizon; part after part, as `Gallery` has it.
        """
        self._gallery.add(predicted, first)

    def end(self, scores: Mapping[str, np.ndarray]) -> None:
        """Writes the batch.

        Args:
            scores: metric -> `(samples, batch, frames)`.
        """
        over_time = {metric: value.mean(2) for metric, value in scores.items()}
        for place, example in enumerate(self._gallery.examples()):
            self._write(example, {metric: value[:, place] for metric, value in over_time.items()})
            example.release()
        del self._gallery

    def _write(self, example: Example, scores: Mapping[str, np.ndarray]) -> None:
        self._written += 1
        (plain,) = folder_names([Path(example.name)])
        folder = self._folder / f"{self._written:04d}_{plain}"
        places = best_and_worst(scores) if len(example.samples) > 1 else {}
        write_prediction(example, self._context, folder, self._formats, GIF_FPS, places)
        with writing(self._folder):
            for name, place in places.items():
                for sample in folder.glob(f"sample_{place + 1}.*"):
                    shutil.copyfile(sample, folder / f"{name}{sample.suffix}")
            self._write_scores(folder.name, example.name, scores)

    def _write_scores(self, folder: str, name: str, scores: Mapping[str, np.ndarray]) -> None:
        table = self._folder / TABLE
        is_new = not table.exists()
        with table.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(["folder", "name", "sample", *scores])
            for number, row in enumerate(zip(*scores.values(), strict=True), 1):
                writer.writerow([folder, name, number, *map(float, row)])


def best_and_worst(scores: Mapping[str, np.ndarray]) -> dict[str, int]:
    """`best_METRIC` and `worst_METRIC` -> place of that sample, for `(samples,)` scores."""
    places = {}
    for metric, values in scores.items():
        order = values if METRICS[metric].higher_is_better else -values
        places[f"best_{metric}"] = int(order.argmax())
        places[f"worst_{metric}"] = int(order.argmin())
    return places
