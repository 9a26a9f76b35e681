"""Where the clips come from that FVD compares: a folder, a data set, a trained generator.

Each set of clips follows from its seed. Which videos are taken, and from which frame on, is random:
the first videos of a sorted folder are those of the first class.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from hvp.config import ExperimentConfig
from hvp.data.stored_videos import videos_below
from hvp.data.video_io import FRAME_SUFFIXES, Crop, read_video
from hvp.data.video_split import VideoSplit
from hvp.distances.protocols import VideoProtocol
from hvp.errors import UserError
from hvp.files import file_sha256
from hvp.models.base import VideoModel
from hvp.pixels import to_uint8
from hvp.text import natural_key

BATCH = 8  # clips that are read at a time


class FolderClips:
    """One clip of each of some videos in a folder, at any depth.

    Args:
        folder: videos, arrays or folders of frames.
        protocol: number of clips and their frames.
        seed: decides which videos, and where each clip begins.
        resolution: `(height, width)` to resize to; `None` keeps the videos' own, which must be one.
        channels: 1 takes the luma of RGB.
        crop, every: how pictures get the resolution's proportions, and which frames count, as in
            `hvp.data.video_io.read_video`.

    Raises:
        UserError: if the folder is missing or holds fewer videos than the protocol asks for.
    """

    def __init__(
        self,
        folder: str | Path,
        protocol: VideoProtocol,
        seed: int,
        resolution: tuple[int, int] | None = None,
        channels: int = 3,
        crop: Crop = "none",
        every: int = 1,
    ) -> None:
        self.folder, self.protocol, self.seed, self.channels = (
            Path(folder),
            protocol,
            seed,
            channels,
        )
        if not self.folder.is_dir():
            raise UserError(f"{folder}: no such folder; name one that holds videos")
        self._paths = videos_below(self.folder)
        if len(self._paths) < protocol.num_videos:
            raise _too_few(f"{folder}: holds {len(self._paths)} videos", len(self._paths), protocol)
        self.crop, self.every = crop, every
        self._resized = resolution is not None
        if resolution is None:
            first = read_video(self._paths[0], channels=channels, max_frames=1)
            resolution = first.shape[1:3]
        self.resolution = resolution
        self.left_out = 0

    @property
    def about(self) -> dict[str, Any]:
        return {
            "videos_of": str(self.folder),
            "videos_there": len(self._paths),
            "shorter_videos_left_out": self.left_out,
            "clips": "one a video; videos and first frames drawn by the seed",
            "seed": self.seed,
            "height": self.resolution[0],
            "width": self.resolution[1],
            "channels": self.channels,
            "resized": self._resized,
            "crop": self.crop,
            "frame_step": self.every,
        }

    def batches(self) -> Iterator[np.ndarray]:
        too_short = []
        order = np.random.default_rng([self.seed, 0]).permutation(len(self._paths))
        wanted, batch = self.protocol.num_videos, []
        with ThreadPoolExecutor(2) as pool:
            for first in range(0, len(order), BATCH):
                indices = order[first : first + BATCH]
                for index, clip in zip(indices, pool.map(self._clip, indices), strict=True):
                    if clip is None:
                        too_short.append(self._paths[index].name)
                    elif wanted > 0:
                        batch.append(clip)
                        wanted -= 1
                    if len(batch) == BATCH or (batch and wanted == 0):
                        yield np.stack(batch)
                        batch = []
                if wanted == 0:
                    break
        if batch:
            yield np.stack(batch)
        self.left_out = len(too_short)
        if too_short:
            print(
                f"left out: {self.left_out} videos of {self.folder} with fewer than "
                f"{self.protocol.span} frames, such as {too_short[0]}",
                file=sys.stderr,
            )
        if wanted:
            found = self.protocol.num_videos - wanted
            raise _too_few(
                f"{self.folder}: {found} of {len(self._paths)} videos have the "
                f"{self.protocol.span} frames of a clip",
                found,
                self.protocol,
            )

    def content_sha256(self) -> str:
        digest = hashlib.sha256(json.dumps(self._choice()).encode())
        for path in self._paths:
            digest.update(_content_digest(path))
        return digest.hexdigest()

    def _choice(self) -> list[Any]:
        """What the clips depend on besides the files."""
        size = self.resolution if self._resized else None
        return [self.protocol.name, self.seed, size, self.channels, self.crop, self.every]

    def _clip(self, index: int) -> np.ndarray | None:
        """uint8 `(num_frames, height, width, channels)`; `None` for a video that is too short."""
        path = self._paths[index]
        height, width = self.resolution if self._resized else (None, None)
        frames = read_video(path, height, width, self.channels, crop=self.crop, every=self.every)
        if frames.shape[1:3] != tuple(self.resolution):
            raise UserError(
                f"{path}: has frames of {frames.shape[1]}x{frames.shape[2]} (height x width), "
                f"others in {self.folder} of {self.resolution[0]}x{self.resolution[1]}; "
                "--resolution resizes all to one size"
            )
        spare = len(frames) - self.protocol.span
        if spare < 0:
            return None
        start = int(np.random.default_rng([self.seed, 1, index]).integers(spare + 1))
        return frames[start : start + self.protocol.span : self.protocol.stride]


class SplitClips:
    """Clips of an experiment's own data, in the frames that its model sees.

    From each video one clip, at a random multiple of its length; where there are more clips to be
    had than videos, the second ones follow, and so on.

    Args:
        split: opened with `seq_len=protocol.span`.
        protocol: number of clips and their frames.
        seed: decides which clips.
        name: what the split is, for the record.

    Raises:
        UserError: if there are fewer clips than the protocol asks for.
    """

    def __init__(self, split: VideoSplit, protocol: VideoProtocol, seed: int, name: str) -> None:
        self.split, self.protocol = split, protocol
        if split.num_windows < protocol.num_videos:
            raise _too_few(
                f"{name}: holds {split.num_windows} clips of {protocol.span} frames",
                split.num_windows,
                protocol,
            )
        order = np.random.default_rng([seed, 0]).permutation(split.num_windows)
        rounds: dict[str, int] = {}
        rank = np.zeros(len(order), int)
        for place, number in enumerate(order):
            video = split.window(int(number)).video
            rank[place] = rounds[video] = rounds.get(video, -1) + 1
        order = order[np.argsort(rank, kind="stable")]
        self.left_out = len(split.skipped)
        self.windows = [int(number) for number in order[: protocol.num_videos]]
        videos = {split.window(number).video for number in self.windows}
        self.about = {
            "videos_of": name,
            "different_videos": len(videos),
            "videos_left_out": self.left_out,
            "clips": "drawn by the seed from clips without overlap, of as many videos as possible",
            "seed": seed,
        }

    def batches(self) -> Iterator[np.ndarray]:
        for batch in self.split.evaluation_batches(BATCH, windows=self.windows):
            yield to_uint8(batch["video"].numpy()[:, :: self.protocol.stride])

    def content_sha256(self) -> str:
        digest = hashlib.sha256(self.protocol.name.encode())
        for batch in self.batches():
            digest.update(f"{batch.shape}".encode())
            digest.update(np.ascontiguousarray(batch).data)
        return digest.hexdigest()


def training_clips(config: ExperimentConfig, protocol: VideoProtocol, seed: int) -> SplitClips:
    """Real clips of an experiment: its training split, without the videos that are too short."""
    data = dataclasses.replace(config.data, clips_per_video="all")  # at most one of each is taken
    split = VideoSplit(
        data, "train", seq_len=protocol.span, seed=config.seed, unusable_videos="skip"
    )
    clips = SplitClips(split, protocol, seed, f"{data.dataset}, training split")
    clips.about |= {"datadir": data.datadir, "height": data.height, "width": data.width}
    clips.about |= {"channels": data.channels, "crop": data.crop, "frame_step": data.frame_step}
    return clips


class GeneratedClips:
    """Clips drawn from a generator.

    Args:
        model: a generator.
        protocol: number of clips and their frames.
        seed: of the first batch; the others follow from it.
        batch_size: videos at a time. The noise, and so the clips, depend on it.
        about: what the model is, for the record.

    Raises:
        UserError: if the model does not generate.
    """

    def __init__(
        self,
        model: VideoModel,
        protocol: VideoProtocol,
        seed: int,
        batch_size: int = BATCH,
        about: dict[str, Any] | None = None,
    ) -> None:
        if not generates(model):
            raise UserError(
                f"{(about or {}).get('experiment', type(model).__name__)}: this model predicts and "
                "does not generate; its FVD is part of python eval_with_lpips.py --fvd-weights"
            )
        self.model, self.protocol, self.seed, self.batch_size = model, protocol, seed, batch_size
        self.about = {
            **(about or {}),
            "clips": f"generated, {batch_size} at a time",
            "seed": seed,
            "height": model.height,
            "width": model.width,
            "channels": model.channels,
        }

    def batches(self) -> Iterator[np.ndarray]:
        for first in range(0, self.protocol.num_videos, self.batch_size):
            count = min(self.batch_size, self.protocol.num_videos - first)
            videos = self.model.generate(count, self.protocol.span, seed=(self.seed, first))
            videos = np.asarray(videos)[:, :: self.protocol.stride]
            if not np.isfinite(videos).all():
                raise UserError(
                    "the generator's videos hold NaN or Inf: the checkpoint is broken or its "
                    "training diverged; try an earlier one with --checkpoint"
                )
            yield to_uint8(videos)


def generates(model: VideoModel) -> bool:
    """Whether a model draws videos from nothing."""
    return type(model)._generate is not VideoModel._generate


def _too_few(found: str, count: int, protocol: VideoProtocol) -> UserError:
    smaller = VideoProtocol(count, protocol.span, protocol.stride).name
    advice = f"; --protocol {smaller} takes what is there" if count >= 2 else ""
    return UserError(
        f"{found}; {protocol.name} needs {protocol.num_videos}{advice} (FVD of different numbers "
        "of videos do not compare)"
    )


def _content_digest(path: Path) -> bytes:
    """SHA-256 of a file, or of a folder's frames in their order."""
    files = [path]
    if path.is_dir():
        frames = (p for p in path.iterdir() if p.suffix.lower() in FRAME_SUFFIXES)
        files = sorted(frames, key=natural_key)
    digest = hashlib.sha256()
    for file in files:
        digest.update(bytes.fromhex(file_sha256(file)))
    return digest.digest()
