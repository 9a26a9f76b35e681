"""Videos stored as arrays: `.npy`, `.npz` and `.h5`, read frame by frame."""

from __future__ import annotations

import math
import threading
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hvp.errors import UserError
from hvp.pixels import to_uint8

NUMPY_SUFFIXES = (".npy", ".npz")
MAX_FRAME_PIXELS = 2**26  # that files may ask for: an 8K frame has 2**25
HDF5_SUFFIXES = (".h5", ".hdf5")
MOST_16_BIT = 65535
SCALING = (
    "--set data.sixteen_bit=scale (of prepare: --sixteen-bit scale) takes 0 to 65535 for 0 to 255; "
    "or convert it to 8 bits"
)
# Held while a header is parsed: CPython 3.11's parser fails where several threads use it at once
# (python/cpython#106905).
HEADERS = threading.Lock()
# What numpy and h5py raise for damaged files.
ARRAY_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    MemoryError,
    SyntaxError,
    RuntimeError,
    NotImplementedError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def to_8_bits(levels: np.ndarray) -> np.ndarray:
    """Levels from 0 to 65535 as uint8, 0 to 255."""
    return np.rint(levels / (MOST_16_BIT / 255)).astype(np.uint8)


def array_frames(path: Path, scale: bool = False) -> Iterator[np.ndarray]:
    """uint8 frames `(height, width, channels)` of an array `(time, height, width[, channels])`.

    Arrays are uint8, or floating point in [0, 1]; with `scale` uint16 too. An `.npz` holds one
    array, an `.h5` one data set of three or four axes. No more than a frame is in memory at once,
    whatever the file declares.

    Raises:
        UserError: naming the file, if it is damaged or holds something else.
    """
    try:
        if path.suffix.lower() == ".npy":
            with HEADERS:
                content = np.lib.format.open_memmap(path, mode="r")
            size = path.stat().st_size
            if size != content.offset + content.nbytes:
                raise ValueError(
                    f"it has {size} bytes, its header declares {content.offset + content.nbytes}"
                )
            yield from _checked_frames(path, content.shape, content.dtype, iter(content), scale)
        elif path.suffix.lower() == ".npz":
            yield from _npz_frames(path, scale)
        else:
            yield from _hdf5_frames(path, scale)
    except ARRAY_ERRORS as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path}: cannot be read as an array: {reason}") from error


def check_size(path: Path, width: int, height: int) -> None:
    """Raises a `UserError` if a file declares frames too large to be sound."""
    if width * height > MAX_FRAME_PIXELS:
        raise UserError(f"{path}: declares frames of {width}x{height}, more than can be read")


def _npz_frames(path: Path, scale: bool) -> Iterator[np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(names) != 1:
            listed = ", ".join(name.removesuffix(".npy") for name in names)
            raise UserError(f"{path}: holds the arrays {listed}; one is expected")
        with archive.open(names[0]) as file:
            version = np.lib.format.read_magic(file)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            with HEADERS:
                shape, column_major, dtype = read_header(file)
            if column_major and len(shape) > 1:
                raise UserError(f"{path}: is stored in Fortran order; save it in C order")

            def frames() -> Iterator[np.ndarray]:
                size = int(np.prod(shape[1:])) * dtype.itemsize
                for _ in range(shape[0]):
                    content = file.read(size)
                    if len(content) != size:
                        raise EOFError("the array ends too early")
                    yield np.frombuffer(content, dtype).reshape(shape[1:])
                if file.read(1):  # which also has the checksum compared
                    raise ValueError("it holds more than its header declares")

            yield from _checked_frames(path, shape, dtype, frames(), scale)


def _hdf5_frames(path: Path, scale: bool) -> Iterator[np.ndarray]:
    import h5py

    with h5py.File(path, "r") as file:
        found: list[Any] = []

        for item in hdf5_items(file):
            if isinstance(item, h5py.Dataset) and item.ndim in (3, 4):
                found.append(item)
        if len(found) != 1:
            listed = ", ".join(item.name for item in found) or "none"
            raise UserError(
                f"{path}: one data set (time, height, width[, channels]) is expected, found "
                f"{listed}"
            )
        _require_complete(found[0])
        stored = found[0]
        yield from _checked_frames(path, stored.shape, stored.dtype, iter(stored), scale)


def hdf5_items(group: Any) -> Iterator[Any]:
    """The groups and data sets below a group of a file, at any depth, each once.

    Raises:
        ValueError: for what lies elsewhere, so that any file could be read as pixels: soft and
            external links, virtual data sets, and data sets in external storage.
    """
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{group.name.rstrip('/')}/{name} is a link to elsewhere")
        item = group[name]
        if isinstance(item, h5py.Dataset) and (item.is_virtual or item.external):
            raise ValueError(f"the frames of {item.name} lie in other files")
        yield item
        if isinstance(item, h5py.Group):
            yield from hdf5_items(item)


def _require_complete(item: Any) -> None:
    """Raises a `ValueError` if a data set stores more or less than its shape: it is damaged."""
    if item.chunks is None:
        stored, declared = item.id.get_storage_size(), item.nbytes
    else:
        stored = item.id.get_num_chunks()
        declared = math.prod(-(-n // c) for n, c in zip(item.shape, item.chunks, strict=True))
    if stored != declared and item.size:
        kind = "bytes" if item.chunks is None else "chunks"
        raise ValueError(f"{item.name} stores {stored} {kind}, its shape declares {declared}")


def _checked_frames(
    path: Path, shape: tuple[int, ...], dtype: np.dtype, frames: Iterator[np.ndarray], scale: bool
) -> Iterator[np.ndarray]:
    plain = len(shape) == 3
    if (not plain and (len(shape) != 4 or shape[-1] not in (1, 3))) or 0 in shape[1:]:
        raise UserError(
            f"{path}: has shape {tuple(shape)}; expected (time, height, width) with or without "
            "1 or 3 channels"
        )
    check_size(path, shape[2], shape[1])
    if dtype == np.uint16 and not scale:
        raise UserError(f"{path}: holds uint16; {SCALING}")
    if dtype not in (np.uint8, np.uint16) and not np.issubdtype(dtype, np.floating):
        raise UserError(f"{path}: holds {dtype}; expected uint8, or floating point in [0, 1]")
    for frame in frames:
        frame = np.asarray(frame[..., None] if plain else frame)
        if frame.dtype == np.uint8:
            yield frame
        elif frame.dtype == np.uint16:
            yield to_8_bits(frame)
        elif 0 <= frame.min() <= frame.max() <= 1:
            yield to_uint8(frame.astype(np.float32))
        else:
            bytes_as_floats = (
                "; divide by 255" if 1 < frame.max() <= 255 and frame.min() >= 0 else ""
            )
            raise UserError(
                f"{path}: holds {frame.dtype} from {frame.min()} to {frame.max()}; expected uint8, "
                f"or floating point in [0, 1]{bytes_as_floats}"
            )
