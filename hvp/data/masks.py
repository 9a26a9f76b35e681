"""Segmentation masks beside the frames of a video: one picture of object labels a frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hvp.data.video_io import FRAME_SUFFIXES
from hvp.errors import UserError
from hvp.files import require_regular
from hvp.text import natural_key

MASK_SUFFIX = ".png"
FOREGROUND = 255  # of masks that tell foreground from background only, as DAVIS 2016's


def mask_files(folder: Path) -> list[Path]:
    """The masks in a folder, in natural order.

    Raises:
        UserError: if the folder is missing, unreadable or holds none.
    """
    try:
        files = [path for path in folder.iterdir() if path.suffix.lower() == MASK_SUFFIX]
    except OSError as error:
        raise UserError(f"{folder}: no masks: {error.strerror or error}") from error
    if not files:
        raise UserError(f"{folder}: holds no masks ({MASK_SUFFIX})")
    for file in files:
        require_regular(file)
    return sorted(files, key=natural_key)


def check_masks(frames: Path, masks: Path) -> None:
    """Raises a `UserError` unless every frame in a folder has a mask of its name and size.

    Reads the pictures' headers only. Extra masks are an error too: the folders belong to different
    videos then.
    """
    pictures = [path for path in frames.iterdir() if path.suffix.lower() in FRAME_SUFFIXES]
    found = {path.stem: path for path in mask_files(masks)}
    missing = [path for path in sorted(pictures, key=natural_key) if path.stem not in found]
    if missing:
        raise UserError(
            f"{masks}: {len(missing)} of {len(pictures)} masks missing, the first for "
            f"{missing[0].name}"
        )
    if len(found) > len(pictures):
        raise UserError(f"{masks}: {len(found)} masks for the {len(pictures)} frames in {frames}")
    for picture in pictures:
        mask = found[picture.stem]
        check_size(mask, _size(mask), _size(picture))


def check_size(mask: Path, found: tuple[int, int], wanted: tuple[int, int]) -> None:
    """Raises a `UserError` unless a mask, width x height, is as large as its frame."""
    if found != wanted:
        raise UserError(
            f"{mask}: is {found[0]}x{found[1]}, its frame {wanted[0]}x{wanted[1]}; masks must have "
            "the size of their frames"
        )


def _size(path: Path) -> tuple[int, int]:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: cannot be decoded as an image: {error}") from error


def read_masks(
    folder: str | Path, height: int | None = None, width: int | None = None
) -> np.ndarray:
    """Reads the masks in a folder.

    Args:
        folder: of .png pictures, one a frame: palette indices or grey levels are the labels; 255
            beside 0 alone counts as 1.
        height, width: resize to this by the nearest pixel, which invents no labels.

    Returns:
        Labels, uint8 `(time, height, width)`.

    Raises:
        UserError: for damaged masks, masks without labels, and masks of different sizes.
    """
    masks: list[np.ndarray] = []
    for path in mask_files(Path(folder)):
        labels = _read_mask(path)
        if masks and height is None and labels.shape != masks[0].shape:
            check_size(path, labels.shape[::-1], masks[0].shape[::-1])
        masks.append(fit_mask(labels, height, width))
    return np.stack(masks)


def fit_mask(labels: np.ndarray, height: int | None, width: int | None) -> np.ndarray:
    """One mask `(h, w)` in the wanted size."""
    from PIL import Image

    size = (height or labels.shape[0], width or labels.shape[1])
    if size == labels.shape:
        return labels
    return np.asarray(Image.fromarray(labels).resize(size[::-1], Image.Resampling.NEAREST))


def _read_mask(path: Path) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(path) as image:
            labels = np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: cannot be decoded as an image: {error}") from error
    if labels.ndim == 3 and (labels[..., :3] == labels[..., :1]).all():
        labels = labels[..., 0]  # grey stored as RGB
    if labels.ndim != 2 or labels.dtype not in (np.uint8, np.bool_):
        raise UserError(
            f"{path}: is no mask of labels; expected a picture with a palette or 8-bit grey levels"
        )
    labels = labels.astype(np.uint8)
    if labels.max(initial=0) == FOREGROUND and np.isin(labels, (0, FOREGROUND)).all():
        labels = (labels > 0).astype(np.uint8)
    return labels


def masks_of(frames: np.ndarray, folder: str | Path, whole: bool = True) -> np.ndarray:
    """The masks of a video, uint8 `(time, height, width, channels)`, in its own size.

    Args:
        whole: whether `frames` are all of the video; else its first ones, and more masks are there.

    Returns:
        Labels in the frames' size, uint8 `(time, height, width)`.

    Raises:
        UserError: as `read_masks`, and for masks of another number or size than the frames.
    """
    files = mask_files(Path(folder))
    if len(files) < len(frames) or (whole and len(files) != len(frames)):
        raise UserError(f"{folder}: holds {len(files)} masks for {len(frames)} frames")
    masks = read_masks(folder)[: len(frames)]
    check_size(files[0], masks.shape[:0:-1], frames.shape[2:0:-1])
    return masks
