"""Decodes each video once: uint8 frames in one `.npy` a video, memory-mapped when read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
from tqdm import tqdm

from hvp.config import DataConfig
from hvp.data.array_files import HEADERS
from hvp.data.video_io import FRAME_SUFFIXES, video_frames
from hvp.errors import UserError, reading, writing
from hvp.files import cache_folder, replacing

VERSION = 3  # raise it whenever decoding or resizing changes
SHOW_PROGRESS_FROM = 20  # videos
Reader = Callable[[Path, DataConfig], Iterable[np.ndarray]]  # an array, or frame by frame
FilesOf = Callable[[Path], list[Path]]  # a video's, by its path


def frame_cache_folder(config: DataConfig) -> Path:
    """`data.cache_dir`, else `HVP_CACHE_DIR`, else the user's cache folder."""
    if config.cache_dir is not None:
        return Path(config.cache_dir)
    return cache_folder("frames")


def read_frames(path: Path, config: DataConfig) -> Iterator[np.ndarray]:
    """What the cache holds of a video unless told otherwise: its frames in the wanted size."""
    return _read(path, config, strict=True)


def salvaged_frames(path: Path, config: DataConfig) -> Iterator[np.ndarray]:
    """The frames of a damaged video that decode, as `read_frames` gives them."""
    return _read(path, config, strict=False)


def _read(path: Path, config: DataConfig, strict: bool) -> Iterator[np.ndarray]:
    return video_frames(
        path,
        config.height,
        config.width,
        config.channels,
        crop=config.crop,
        strict=strict,
        sixteen_bit=config.sixteen_bit,
    )


def files_of(path: Path) -> list[Path]:
    """A video file itself, or the frames in a folder."""
    if not path.is_dir():
        return [path]
    return sorted(p for p in path.iterdir() if p.suffix.lower() in FRAME_SUFFIXES)


def cached_frames(
    path: Path,
    config: DataConfig,
    folder: Path,
    read: Reader = read_frames,
    files: FilesOf = files_of,
) -> Path:
    """The `.npy` with the frames of the video `path`, decoded now if it is not there yet.

    Args:
        read: gives the frames to keep; its name is part of the cache's key.
        files: those that it reads.
    """
    with reading(path):  # which may be a link that leads nowhere
        target = folder / f"{_fingerprint(path, config, read, files)}.npy"
    if _is_whole(target):
        return target
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    # Another process may be decoding the same video: each writes its own file, the last one wins.
    with replacing(target) as temporary, temporary.open("wb") as file:
        _save(file, _told(path, read(path, config)))
    return target


def _told(path: Path, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The frames; that a video cannot be read is not taken for a failure to write."""
    with reading(path):
        yield from frames


def _save(file: BinaryIO, frames: Iterator[np.ndarray]) -> None:
    """What `np.save` writes of all of them, while one is in memory. There is at least one."""
    first = next(frames)

    def header(count: int) -> None:
        # As long for any number of frames: NumPy leaves room for it to grow.
        about = {"descr": first.dtype.str, "fortran_order": False, "shape": (count, *first.shape)}
        np.lib.format.write_array_header_1_0(file, about)

    count = 1
    header(count)
    file.write(first.tobytes())
    for frame in frames:
        file.write(frame.tobytes())
        count += 1
    file.seek(0)
    header(count)


def _is_whole(frames: Path) -> bool:
    """Whether a cached video is there and not cut off, as a crash of the machine may leave it."""
    try:
        with HEADERS:
            np.load(frames, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return True


def decode_all(
    paths: list[Path],
    config: DataConfig,
    read: Reader = read_frames,
    files: FilesOf = files_of,
) -> list[Path | UserError]:
    """The cached frames of every video, or why it cannot be read, in order."""
    folder = frame_cache_folder(config)

    def decode(path: Path) -> Path | UserError:
        try:
            return cached_frames(path, config, folder, read, files)
        except UserError as error:
            if isinstance(error.__cause__, OSError) and str(error).startswith("cannot write"):
                raise  # the cache is the problem, not the video
            return error

    with ThreadPoolExecutor() as pool:
        decoded = pool.map(decode, paths)
        quiet = len(paths) < SHOW_PROGRESS_FROM
        return list(tqdm(decoded, "decoding", len(paths), unit="video", disable=quiet))


def _fingerprint(path: Path, config: DataConfig, read: Reader, files: FilesOf) -> str:
    """Changes whenever the file or the wanted frames do."""
    facts = {
        "path": os.path.realpath(path),
        "files": file_facts(files(path)),
        "frames": (config.height, config.width, config.channels, config.crop),
        "version": VERSION,
    }
    if config.sixteen_bit != "error":
        facts["sixteen_bit"] = config.sixteen_bit
    if read is not read_frames:
        facts["read"] = read.__name__
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def file_facts(files: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Name, size and time of change of files.

    Raises:
        OSError: if they cannot be looked at.
    """
    stats = [(file.name, file.stat()) for file in files]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
