"""FVD while a generator trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hvp.config import ExperimentConfig
from hvp.distances.clips import GeneratedClips, generates, training_clips
from hvp.distances.distance import VideoDistance, record_of, record_path, write_record
from hvp.distances.embedding import check_embedding, load_embedding, min_frames
from hvp.distances.protocols import find_video_protocol
from hvp.errors import UserError
from hvp.models.base import VideoModel


def check_training_distance(config: ExperimentConfig) -> None:
    """Raises a `UserError` if FVD is asked for and cannot be measured; reads no weights yet."""
    if config.training.fvd_every:
        try:
            features = _features(config)
            find_video_protocol(config.training.fvd_protocol, min_frames(features))
            weights = config.evaluation.fvd_weights
            check_embedding(features, weights, "evaluation.fvd_weights")
        except UserError as error:
            raise UserError(f"training.fvd_every is {config.training.fvd_every}: {error}") from None


def _features(config: ExperimentConfig) -> str:
    return config.evaluation.fvd_features or "i3d"


class TrainingDistance:
    """FVD of a model in training against its training data.

    The real clips are looked at now, so that whatever is wrong with them shows before training.

    Args:
        config: the experiment; `training.fvd_every` is above 0.
        model: a generator.
        folder: of the run; records go into `fvd/`.
        report: called with each line for the user.

    Raises:
        UserError: if the model does not generate, or the clips are too few.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        model: VideoModel,
        folder: Path,
        report: Callable[[str], None],
    ) -> None:
        if not generates(model):
            raise UserError(
                f"training.fvd_every is {config.training.fvd_every}: a {config.model.family} model "
                "predicts and does not generate; set it to 0, and measure the FVD of its "
                "predictions with python eval_with_lpips.py --fvd-weights"
            )
        self.config, self.model, self.folder, self.report = config, model, folder, report
        features = _features(config)
        protocol = find_video_protocol(config.training.fvd_protocol, min_frames(features))
        network = load_embedding(features, config.evaluation.fvd_weights)
        self.distance = VideoDistance(network, protocol)
        real = training_clips(config, protocol, config.seed)
        self.about_real = dict(real.about)
        report(f"FVD: {self.distance.label}, every {config.training.fvd_every} steps")
        self.real = self.distance.real_statistics(real)

    def measure(self, step: int) -> dict[str, float]:
        """Scalars for TensorBoard; the record goes to a file."""
        about = {
            "experiment": self.config.name,
            "model": self.config.model.family,
            "checkpoint_step": step,
        }
        distance = self.distance
        fake = GeneratedClips(self.model, distance.protocol, self.config.seed, about=about)
        record = record_of(
            distance.protocol,
            distance.network,
            self.real,
            distance.statistics(fake.batches()),
            {"real": self.about_real, "fake": fake.about},
        )
        write_record(record, record_path(self.folder, step, self.distance.label))
        self.report(f"step {step}  {record['metric']} {record['value']:.4g}")
        return {f"fvd/{record['metric']}": record["value"]}
