"""FVD, the Fréchet video distance: cached features of real videos, and the number's record.

Unterthiner et al., "Towards Accurate Generative Models of Video", 2018.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hvp.data.array_files import ARRAY_ERRORS
from hvp.distances.protocols import VideoProtocol
from hvp.errors import UserError, writing
from hvp.files import cache_folder, replacing
from hvp.provenance import made_with

if TYPE_CHECKING:
    from hvp.distances.embedding import Embedding
    from hvp.distances.frechet import FeatureStatistics

CACHE_VERSION = 2  # raise it whenever clips are chosen or embedded in another way


class Clips(Protocol):
    """A set of clips that FVD compares.

    Attributes:
        about: what they are, for the record.
    """

    @property
    def about(self) -> dict[str, Any]: ...

    def batches(self) -> Iterator[np.ndarray]:
        """The clips: uint8 `(batch, num_frames, height, width, channels)`."""


class RealClips(Clips, Protocol):
    """Clips whose features are kept.

    Attributes:
        left_out: videos that were too short, known once the clips were read; kept along.
    """

    left_out: int

    def content_sha256(self) -> str:
        """Changes whenever a frame of a clip does."""


class VideoDistance:
    """FVD under one protocol; the features of real clips are kept on disk, by their content.

    Args:
        network: the embedding.
        protocol: which clips are compared.
        cache_dir: of the features; `None` for HVP_CACHE_DIR or `~/.cache/hvp`, below `fvd`.
        devices: the network runs on all of them at a time; `None` for every GPU, or the CPU.
        on_clips: called with the number of clips that were embedded, for a progress bar.
    """

    def __init__(
        self,
        network: Embedding,
        protocol: VideoProtocol,
        cache_dir: str | Path | None = None,
        on_clips: Callable[[int], None] | None = None,
        devices: Sequence[str] | None = None,
    ) -> None:
        import tensorflow as tf

        self.network, self.protocol, self.on_clips = network, protocol, on_clips
        gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
        self.devices = list(devices or gpus or ["/CPU:0"])
        self.cache_dir = cache_folder("fvd") if cache_dir is None else Path(cache_dir)

    @property
    def label(self) -> str:
        """The name that a number goes by."""
        return metric_label(self.protocol, self.network)

    def statistics(self, clips: Iterable[np.ndarray]) -> FeatureStatistics:
        """Mean and covariance of `features(clips)`."""
        from hvp.distances.frechet import FeatureStatistics

        return FeatureStatistics.of(self.features(clips))

    def features(self, clips: Iterable[np.ndarray]) -> np.ndarray:
        """Embeds batches of clips, a batch a device at a time: `(clips, features)`, float32.

        Raises:
            UserError: unless there are as many clips as the protocol asks for.
        """
        gathered: list[np.ndarray] = []
        batches = iter(clips)
        with ThreadPoolExecutor(len(self.devices)) as pool:
            while group := list(itertools.islice(batches, len(self.devices))):
                # In the order of the batches, so that rounding is the same every time.
                for features in pool.map(self._embed, group, self.devices):
                    gathered.append(features)
                    if self.on_clips:
                        self.on_clips(len(features))
        count = sum(map(len, gathered))
        if count != self.protocol.num_videos:
            raise UserError(
                f"{self.protocol.name} compares {self.protocol.num_videos} clips, found {count}"
            )
        return np.concatenate(gathered)

    def _embed(self, batch: np.ndarray, device: str) -> np.ndarray:
        import tensorflow as tf

        with tf.device(device):  # holds for this thread alone
            return self.network.embed(batch)

    def real_statistics(self, clips: RealClips) -> FeatureStatistics:
        """Mean and covariance of `real_features(clips)`."""
        from hvp.distances.frechet import FeatureStatistics

        return FeatureStatistics.of(self.real_features(clips))

    def real_features(self, clips: RealClips) -> np.ndarray:
        """`features(clips.batches())`, or what was kept of it."""
        facts = (CACHE_VERSION, clips.content_sha256(), self.network.values_sha256)
        key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
        path = self.cache_dir / f"{self.protocol.name}-{key}.npz"
        try:
            with np.load(path, allow_pickle=False) as kept:
                found = np.asarray(kept["features"])
                clips.left_out = int(kept["left_out"])
        except ARRAY_ERRORS:  # absent, or cut off by a crash
            found = None
        if found is not None:
            if self.on_clips:
                self.on_clips(len(found))
            return found
        with writing(self.cache_dir):  # before the work
            self.cache_dir.mkdir(parents=True, exist_ok=True)
        found = self.features(clips.batches())
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, left_out=clips.left_out, features=found)
        return found


def measure(distance: VideoDistance, real: RealClips, fake: Clips) -> dict[str, Any]:
    """FVD of two sets of clips, and the other distances of the same features.

    Returns:
        The record: `metric` (the label), `value`, and all that decides it, as plain values; see
        `hvp.distances.sets.compare_sets` for the other distances.
    """
    return measure_features(distance, real, fake)[0]


def measure_features(
    distance: VideoDistance, real: RealClips, fake: Clips
) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """As `measure`, and the features of the real and of the fake clips."""
    from hvp.distances.frechet import FeatureStatistics
    from hvp.distances.sets import compare_sets

    real_features = distance.real_features(real)
    fake_features = distance.features(fake.batches())
    record = record_of(
        distance.protocol,
        distance.network,
        FeatureStatistics.of(real_features),
        FeatureStatistics.of(fake_features),
        {"real": dict(real.about), "fake": dict(fake.about)},
    )
    return record | compare_sets(real_features, fake_features), real_features, fake_features


def record_of(
    protocol: VideoProtocol,
    network: Embedding,
    real: FeatureStatistics,
    fake: FeatureStatistics,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """The distance of two statistics, with everything that decides it; see `measure`."""
    from hvp.distances.frechet import frechet_distance_of_statistics

    value = frechet_distance_of_statistics(real, fake)
    if not np.isfinite(value):
        raise UserError(f"{protocol.name} is not finite: the clips or the weights hold NaN or Inf")
    return {
        "metric": metric_label(protocol, network),
        "value": value,
        "protocol": protocol.name,
        "num_real": real.count,
        "num_fake": fake.count,
        "num_frames": protocol.num_frames,
        "frame_stride": protocol.stride,
        "frames_of_video": protocol.span,
        "context": None if protocol.context is None else list(protocol.context),
        **about,
        "embedding": network.description,
        "distance": "Fréchet, unbiased covariances (TF-GAN)",
        "weights": {
            "source": network.source,
            "sha256": network.sha256,
            "values_sha256": network.values_sha256,
        },
        **made_with(),
    }


def metric_label(protocol: VideoProtocol, network: Embedding) -> str:
    """The protocol's name, plain for the Hub module's weights alone, which the literature uses."""
    known = {"hub": "", "rgb_imagenet": "_rgb_imagenet", "hvp": "_small"}
    if network.source in known:
        return protocol.name + known[network.source]
    whose = "features" if network.source == "features" else "weights"
    return f"{protocol.name}_{whose}_{network.values_sha256[:8]}"


def write_record(record: Mapping[str, Any], path: str | Path) -> None:
    """Writes a record as JSON, making the folder."""
    path = Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def record_path(experiment: Path, step: int, label: str) -> Path:
    """Where an experiment keeps the record of a checkpoint."""
    return experiment / "fvd" / f"step{step}_{label}.json"
