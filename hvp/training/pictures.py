"""The videos that TensorBoard shows of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hvp.config import ExperimentConfig
from hvp.data.video_split import VideoSplit
from hvp.drawing.training import labelled, prediction_frames, video_grid
from hvp.experiment.checkpoints import writing_run
from hvp.families import FAMILIES
from hvp.models.base import VideoModel
from hvp.training.summaries import RunSummaries, gif_context

MAX_GIF_VIDEOS = 4
GENERATED_VIDEOS = 9


class RunPictures:
    """Predictions of the first videos of each split, or videos from always the same codes.

    Args:
        config: of the experiment.
        model: that is trained.
        splits: `train` and `val`.
        summaries: where they go.
        folder: of the run, for messages.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        model: VideoModel,
        splits: dict[str, VideoSplit],
        summaries: RunSummaries,
        folder: Path,
    ):
        self.config, self.model, self.splits = config, model, splits
        self.summaries, self.folder = summaries, folder
        self._videos: dict[str, dict[str, np.ndarray]] = {}

    def write(self, step: int) -> None:
        """Writes the pictures of `step`."""
        if FAMILIES[self.config.model.family].generates:
            self._write_generated(step)
        else:
            for split in self.splits:
                self._write_predictions(split, step)

    def _write_generated(self, step: int) -> None:
        # Always the same codes, so that the run can be followed.
        videos = self.model.generate(GENERATED_VIDEOS, self.config.data.seq_len, self.config.seed)
        self._write("train", "generated", video_grid(videos.numpy()), step)

    def _write_predictions(self, split: str, step: int) -> None:
        if split not in self._videos:
            source = self.splits[split]
            count = min(MAX_GIF_VIDEOS, source.num_windows)
            first = next(iter(source.evaluation_batches(count, limit=count)), None)
            if first is None:
                return
            self._videos[split] = {k: v.numpy() for k, v in first.items()}
        videos, masks = self._videos[split]["video"], self._videos[split].get("masks")
        context = gif_context(self.config.evaluation.context, videos.shape[1])
        samples, seed = self.config.training.gif_samples, self.config.seed
        if not self.model.stochastic:  # they are all the same
            samples = 1
        frames = prediction_frames(self.model, videos, context, samples, seed, masks)
        self._write(split, "truth_predictions_error", labelled(frames, samples, context), step)

    def _write(self, split: str, name: str, frames: np.ndarray, step: int) -> None:
        with writing_run(self.folder):
            self.summaries.gif(split, name, frames, step)
            self.summaries.flush()
