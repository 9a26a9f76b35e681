"""Sources made of video files or frame folders, shared by the data sets that are stored so."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hvp.config import DataConfig
from hvp.data.frame_cache import decode_all
from hvp.data.video_io import is_video, natural_key
from hvp.errors import UserError

NAMED_IN_ERRORS = 5


class VideoFiles:
    """Videos on disk, decoded once into the cache. See `FrameSource`.

    Args:
        paths: video files, arrays or frame folders.
        config: frame size, channels, `max_video_len`, `unusable_videos`, cache.
        seq_len: videos with fewer frames are unusable.
        root: names are relative to this folder.
    """

    def __init__(self, paths: Sequence[Path], config: DataConfig, seq_len: int, root: Path):
        self.names: list[str] = []
        self.lengths: list[int] = []
        self.skipped: list[str] = []
        self._frames: list[np.ndarray] = []
        for path, result in zip(paths, decode_all(list(paths), config), strict=True):
            if isinstance(result, UserError):
                self.skipped.append(str(result))
                continue
            frames = np.load(result, mmap_mode="r", allow_pickle=False)
            if config.max_video_len is not None:
                frames = frames[: config.max_video_len]
            if len(frames) < seq_len:
                self.skipped.append(f"{path}: has {len(frames)} frames, {seq_len} are needed")
                continue
            self.names.append(str(path.relative_to(root)))
            self.lengths.append(len(frames))
            self._frames.append(frames)
        self._report_skipped(len(paths), config.unusable_videos, root)

    def read(self, video: int, start: int, length: int, epoch: int = 0) -> np.ndarray:
        return np.array(self._frames[video][start : start + length])

    def _report_skipped(self, total: int, unusable_videos: str, root: Path) -> None:
        if not self.skipped:
            return
        listed = "; ".join(self.skipped[:NAMED_IN_ERRORS])
        more = len(self.skipped) - NAMED_IN_ERRORS
        listed += f"; and {more} more" if more > 0 else ""
        count = f"{len(self.skipped)} of {total} videos in {root} cannot be used"
        if unusable_videos == "error":
            raise UserError(f"{count}: {listed}. unusable_videos=skip leaves them out")
        if not self.names:
            raise UserError(f"{count}, so none is left: {listed}")
        print(f"left out: {count}: {listed}", file=sys.stderr)


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
    try:
        (folder / ".").stat()  # the right to list a folder is not yet the right to look inside
        return list(folder.iterdir())
    except OSError as error:
        raise UserError(f"{folder}: cannot be read: {error.strerror}") from error


def videos_in(folder: Path) -> list[Path]:
    """Videos and frame folders directly in `folder`, in natural order; hidden ones left out."""
    if not folder.is_dir():
        return []
    found = [p for p in _contents(folder) if not p.name.startswith(".") and is_video(p)]
    return sorted(found, key=natural_key)


def open_split_folders(config: DataConfig, split: str, seq_len: int, advice: str) -> VideoFiles:
    """The videos of `{train,test}/` in `data.datadir`; `val/` too, where there is one."""
    root = require_folder(config, advice)
    folder = root / split
    if split == "val" and not folder.is_dir():
        folder = root / "test"
    if split == "test" and not folder.is_dir() and (root / "val").is_dir():
        folder = root / "val"
    paths = videos_in(folder)
    if not paths:
        raise UserError(f"data.datadir: {folder} holds no videos: {advice}")
    return VideoFiles(paths, config, seq_len, root)
