"""Sources made of video files or frame folders, shared by the data sets that are stored so."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from hvp.config import DataConfig
from hvp.data.frame_cache import (
    FilesOf,
    Reader,
    decode_all,
    files_of,
    read_frames,
    salvaged_frames,
)
from hvp.data.raw_frames import RawFrames
from hvp.data.unusable import report_skipped, some_of, too_short
from hvp.data.video_io import FRAME_SUFFIXES, fit_frame, is_video
from hvp.errors import UserError, reading
from hvp.text import natural_key, one_line

# Split -> its videos. Only splits that a data set really has: `val` falls back to `test`.
Splits = dict[str, list[Path]]
Item = TypeVar("Item")
TRIED = 5  # broken videos that are decoded again before a message says that it helps


class VideoFiles:
    """Videos on disk, decoded once into the cache. See `FrameSource`.

    Args:
        paths: video files, arrays or frame folders.
        config: frame size, channels, `max_video_len`, `unusable_videos`, cache.
        seq_len: videos with fewer frames are unusable.
        root: names are relative to this folder.
        read, files: give the frames of what `read_video` cannot read, and the files that they are
            in; nothing of it is salvaged.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        config: DataConfig,
        seq_len: int,
        root: Path,
        read: Reader = read_frames,
        files: FilesOf = files_of,
    ):
        self.names: list[str] = []
        self.lengths: list[int] = []
        self.skipped: list[str] = []
        self._frames: list[RawFrames] = []
        short: list[int] = []
        decoded = decode_all(list(paths), config, read, files)
        plain = read is read_frames
        if plain and config.unusable_videos == "salvage":
            decoded = _salvaged(paths, decoded, config)
        for path, result in zip(paths, decoded, strict=True):
            if isinstance(result, UserError):
                self.skipped.append(str(result))
                continue
            frames = RawFrames.of_array(result)
            length = min(frames.shape[0], config.max_video_len or frames.shape[0])
            if length < seq_len:
                self.skipped.append(too_short(path, length, seq_len))
                short.append(length // config.frame_step)
                continue
            self.names.append(str(path.relative_to(root)))
            self.lengths.append(length)
            self._frames.append(frames)
        broken = [p for p, e in zip(paths, decoded, strict=True) if isinstance(e, UserError)]

        def salvaged() -> bool:
            again = decode_all(broken[:TRIED], config, salvaged_frames) if plain else []
            return any(isinstance(found, Path) and _length(found) >= seq_len for found in again)

        report_skipped(self, len(paths), config.unusable_videos, root, short, salvaged)

    def read(self, video: int, start: int, length: int, epoch: int = 0) -> np.ndarray:
        return self._frames[video].read(start, length)


def _length(frames: Path) -> int:
    return RawFrames.of_array(frames).shape[0]


def _salvaged(
    paths: Sequence[Path], decoded: list[Path | UserError], config: DataConfig
) -> list[Path | UserError]:
    """The same with what decodes of damaged videos, which it reports."""
    reasons = {p: e for p, e in zip(paths, decoded, strict=True) if isinstance(e, UserError)}
    again = decode_all(list(reasons), config, salvaged_frames)
    kept = {p: found for p, found in zip(reasons, again, strict=True) if isinstance(found, Path)}
    if kept:
        count = f"{len(kept)} of {len(paths)} videos as far as they decode"
        listed = some_of([str(reasons[path]) for path in kept])
        print(f"used in part: {one_line(f'{count}: {listed}')}", file=sys.stderr)
    return [kept.get(path, found) for path, found in zip(paths, decoded, strict=True)]


def require_folder(config: DataConfig, advice: str) -> Path:
    """`data.datadir` as an existing folder, or a `UserError` that ends in `advice`."""
    if config.datadir is None:
        raise UserError(f"data.datadir is not set for {config.dataset}: {advice}")
    folder = Path(config.datadir)
    if not folder.is_dir():
        raise UserError(f"data.datadir: there is no folder {folder}: {advice}")
    _contents(folder)
    return folder


def _contents(folder: Path) -> list[Path]:
    with reading(folder):
        (folder / ".").stat()  # the right to list a folder is not yet the right to look inside
        return list(folder.iterdir())


def videos_in(folder: Path) -> list[Path]:
    """Videos and frame folders directly in `folder`, in natural order; hidden ones left out."""
    if not folder.is_dir():
        return []
    found = [p for p in _contents(folder) if not p.name.startswith(".") and is_video(p)]
    return sorted(found, key=natural_key)


def videos_below(folder: Path) -> list[Path]:
    """Videos and frame folders at any depth, in natural order; hidden ones left out."""
    if not folder.is_dir():
        return []
    found: list[Path] = []

    def stop(error: OSError) -> None:
        raise UserError(f"{error.filename}: cannot be read: {error.strerror}")

    for where, folders, files in os.walk(folder, onerror=stop):
        folders[:] = [name for name in folders if not name.startswith(".")]
        names = [name for name in files if not name.startswith(".")]
        if any(Path(name).suffix.lower() in FRAME_SUFFIXES for name in names):
            found.append(Path(where))
        paths = (Path(where, name) for name in names)
        found += [path for path in paths if is_video(path)]
    return sorted(found, key=lambda path: [natural_key(Path(p)) for p in path.parts])


def split_folders(root: Path) -> Splits:
    """The videos directly in `train/`, `val/` and `test/`, as far as they are there."""
    return {split: videos_in(root / split) for split in ("train", "val", "test")}


def every_nth_for_testing(paths: list[Path], every: int) -> Splits:
    """All but every n-th video for training; the last one for testing where there are fewer."""
    test = paths[every - 1 :: every] or paths[-1:]
    return {"train": [path for path in paths if path not in test], "test": test}


def of_split(
    splits: Mapping[str, list[Item]], split: str, tests_on_training: bool = False
) -> list[Item]:
    """A split's videos; where a data set has no `val`, those of `test`, and the other way round.

    With `tests_on_training`, where it has neither, those of `train`.
    """
    order = {"train": ("train",), "val": ("val", "test"), "test": ("test", "val")}[split]
    if tests_on_training:
        order = (*order, "train")
    return next((splits[name] for name in order if splits.get(name)), [])


def fit_frames(frames: np.ndarray, config: DataConfig) -> np.ndarray:
    """uint8 frames `(time, height, width, channels)` as the config wants them."""
    if frames.shape[1:] == (config.height, config.width, config.channels):
        return frames
    fitted = [
        fit_frame(frame, config.height, config.width, config.channels, config.crop)
        for frame in frames
    ]
    return np.stack(fitted)


def open_found(
    config: DataConfig,
    split: str,
    seq_len: int,
    find: Callable[[Path], Splits],
    advice: str,
    tests_on_training: bool = False,
) -> VideoFiles:
    """The videos of one split of `data.datadir`, among those that `find` gives for the folder."""
    root = require_folder(config, advice)
    paths = of_split(find(root), split, tests_on_training)
    if not paths:
        raise UserError(f"data.datadir: {root} holds no videos for the {split} split: {advice}")
    return VideoFiles(paths, config, seq_len, root)
