"""Predicts how a user's own videos go on: any length, any size, no ground truth needed."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from hvp.data.gif_files import write_gif
from hvp.data.stored_videos import videos_in
from hvp.data.video_io import (
    ARRAY_SUFFIXES,
    FRAME_SUFFIXES,
    VIDEO_SUFFIXES,
    Crop,
    SixteenBit,
    display_notes,
    read_video,
    video_frames,
    write_mp4,
)
from hvp.drawing.comparison import comparison_frames, save_grid
from hvp.drawing.examples import Example, Gallery
from hvp.errors import UserError, reading, writing
from hvp.evaluation.futures import SAMPLES_AT_ONCE, future_parts
from hvp.models.base import VideoModel
from hvp.scratch import require_room

# The largest difference between the channels of a pixel, in levels, that still is grey: what
# encoding leaves. KTH's own clips have 3.
GREY_TOLERANCE = 8
# Float values of the rollout of a model that predicts all at once: 4 GiB, some several times.
MOST_VALUES = 2**30


@dataclasses.dataclass(frozen=True)
class PredictionSettings:
    """What is predicted.

    Attributes:
        context: frames shown to the model.
        horizon: frames predicted.
        num_samples: futures of every video.
        seed: decides the samples. A video's futures depend on it and on the model alone, not on
            the other videos or on how many samples are drawn.
        start: the first frame of the context; below 0 it counts from the end of the video, so that
            `-context` predicts what comes after the last frame.
        every: keeps every n-th frame of the video; all other numbers count what is kept.
        crop: `center` cuts the middle out in the model's proportions, `none` squeezes all of it.
        strict: refuses videos that have another size than the model, or colours for a grey one.
        sixteen_bit: as of `read_video`.
    """

    context: int
    horizon: int
    num_samples: int = 4
    seed: int = 0
    start: int = 0
    every: int = 1
    crop: Crop = "none"
    strict: bool = False
    sixteen_bit: SixteenBit = "error"


@dataclasses.dataclass
class OwnVideo:
    """The part of a video that is used.

    Attributes:
        frames: uint8 `(time, height, width, channels)`: the context and, where the video goes on,
            the truth, at most `context + horizon` frames, as the loader would give them.
        size: `(height, width)` of the video itself.
        changes: what was done to its frames, in words.
    """

    frames: np.ndarray
    size: tuple[int, int]
    changes: list[str]


def find_videos(paths: Iterable[Path]) -> list[Path]:
    """Videos, frame folders, and what folders of those hold, each once, in natural order.

    A folder is one video if pictures and no video files lie in it. Else its videos and its frame
    folders are taken; their subfolders are not searched.

    Raises:
        UserError: for a folder that cannot be read or holds neither.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            found[path] = None  # what it is turns out when it is read
            continue
        videos = videos_in(path)
        pictures = any(p.suffix.lower() in FRAME_SUFFIXES for p in path.iterdir())
        if pictures and all(video.is_dir() for video in videos):
            videos = [path]
        if not videos:
            kinds = " ".join((*VIDEO_SUFFIXES, *ARRAY_SUFFIXES))
            raise UserError(
                f"{path}: holds no videos ({kinds}), no frames ({' '.join(FRAME_SUFFIXES)}) and no "
                "folders of frames; name the folder that directly holds them"
            )
        found.update(dict.fromkeys(videos))
    return list(found)


def read_clip(
    path: Path, settings: PredictionSettings, height: int, width: int, channels: int
) -> OwnVideo:
    """Reads what is needed of a video, in the size and channels of the model.

    Raises:
        UserError: naming the file, if it cannot be read, is shorter than the context, or does not
            fit the model and `settings.strict` is set.
    """
    wanted = settings.context + settings.horizon
    last = settings.start + wanted if settings.start >= 0 else None
    how: dict[str, Any] = {
        "every": settings.every,
        "crop": settings.crop,
        "sixteen_bit": settings.sixteen_bit,
    }
    with reading(path):
        first = next(video_frames(path, sixteen_bit=settings.sixteen_bit))
        size = first.shape[:2]
        shown, changes = display_notes(path), []
        if size != (height, width):
            changes.append(f"resized from {size[1]}x{size[0]} to {width}x{height}")
            if size[0] * width != size[1] * height:
                squeezed = settings.crop == "none"
                changes[-1] += " (other proportions)" if squeezed else " (the middle of it)"
        if channels == 1 and first.shape[-1] == 3:
            if any(
                is_coloured(frame)
                for frame in itertools.islice(video_frames(path, height, width, **how), last)
            ):
                changes.append("colours turned into grey")
        elif channels == 3 and first.shape[-1] == 1:
            changes.append("grey repeated in three channels")
        if changes and settings.strict:
            kind = "grey" if channels == 1 else "RGB"
            raise UserError(
                f"{path}: the model takes {width}x{height} {kind} frames; without --strict this "
                f"video would be used {' and with '.join(changes)}"
            )
        # Nothing is left to resize then, and frames that differ among themselves are noticed.
        fitted = (None, None) if settings.strict else (height, width)
        frames = read_video(path, fitted[0], fitted[1], channels, last, **how)
    used = frames[settings.start :][:wanted]
    if len(used) < settings.context:
        where = f" and {len(used)} from --start {settings.start} on" if settings.start else ""
        has = "is a single picture" if len(frames) == 1 else f"has {len(frames)} frames"
        raise UserError(
            f"{path}: {has}{where}; --context {settings.context} needs {settings.context}"
        )
    return OwnVideo(used, size, [*shown, *changes])


def is_coloured(frames: np.ndarray) -> bool:
    """Whether uint8 frames `(..., 3)` show more than grey stored as RGB."""
    return bool((frames.max(-1) - frames.min(-1)).max() > GREY_TOLERANCE)


def predict(
    model: VideoModel,
    clip: OwnVideo,
    name: str,
    settings: PredictionSettings,
    show: Callable[[Example, range], None] | None = None,
) -> tuple[Example, bool]:
    """Predicts how a clip goes on, part by part: long predictions lie on disk.

    Args:
        show: called with the clip as far as it is predicted, and the numbers of its frames that
            are new, the context's counted: once for the context, then for every block.

    Returns:
        The clip with its samples, uint8, and their spread; and whether the model turned out to be
        deterministic. Of equal samples one is kept.

    Raises:
        UserError: if the prediction is not finite or finds no room in memory or on disk.
    """
    count, drawn = settings.num_samples, model.distinct_futures(settings.num_samples)
    context = tf.constant(clip.frames[None, : settings.context].astype(np.float32) / 255.0)
    gallery = Gallery(clip.frames[None], [name], drawn, drawn, settings.horizon)
    equal = True
    if show is not None:
        show(gallery.examples()[0], range(settings.context))
    part = None if show is None else 1  # a block then
    sizes = settings.horizon, drawn, settings.seed
    try:
        for start, futures in future_parts(model, context, *sizes, [name], part=part):
            first = None
            for samples in futures:
                first = samples[:1] if first is None else first
                equal = equal and bool(tf.reduce_all(samples == first))
                gallery.add(samples, start)
            if show is not None and first is not None:
                begin = settings.context + start
                show(gallery.examples()[0], range(begin, begin + first.shape[2]))
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise UserError(f"{_size(settings)} do not fit into memory; ask for fewer") from error
    (example,) = gallery.examples()
    deterministic = equal and count > 1
    if deterministic:
        example = dataclasses.replace(example, samples=example.samples[:1], stddev=None)
    return example, deterministic


def check_prediction_settings(settings: PredictionSettings, model: VideoModel) -> None:
    """Raises `UserError` if the model cannot predict so."""
    if settings.context < model.min_context:
        raise UserError(
            f"--context {settings.context}: this model needs at least {model.min_context} frames"
        )
    if model.needs_masks:
        raise UserError(
            "this model was trained with segmentation masks beside the frames, which videos do not "
            "have; evaluate it on its data set"
        )
    frame = math.prod(model.frame_shape)
    require_room(settings.num_samples * settings.horizon * frame)
    values = min(settings.num_samples, SAMPLES_AT_ONCE) * settings.horizon * frame
    if model.block is None and values > MOST_VALUES:
        raise UserError(
            f"{_size(settings)} of {model.height}x{model.width} pixels take "
            f"{values * 4 / 2**30:.0f} GiB; at most {MOST_VALUES * 4 / 2**30:.0f} are predicted at "
            "once: ask for fewer"
        )


def _size(settings: PredictionSettings) -> str:
    return f"--samples {settings.num_samples} of --horizon {settings.horizon} frames"


SHOWN_SAMPLES = 5  # beside each other; all of them are written one by one


def write_prediction(
    example: Example,
    context: int,
    folder: Path,
    formats: Iterable[str],
    fps: float,
    places: Mapping[str, int] | None = None,
) -> None:
    """Writes one video's prediction into `folder`, which is made if need be.

    - `gif`, `mp4`: `comparison`, truth and samples side by side with the standard deviation over
      samples, and `sample_1`, `sample_2`, ...: predicted frames alone, in the model's size.
    - `png`: `comparison.png`, frames of the same at a few times.
    - `npz`: `prediction.npz` with `context`, `truth` (as far as the video goes on) and `samples`
      `(samples, horizon, height, width, channels)`, uint8, and, of several samples, `stddev`
      `(horizon, height, width)`, float32, in [0, 1]; and the `places` of some samples, by name.

    Raises:
        UserError: if the folder cannot be written to.
    """
    shown = Example(example.name, example.truth, example.samples[:SHOWN_SAMPLES], example.stddev)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name in formats:
        if name == "npz":
            _write_arrays(example, context, folder / "prediction.npz", places or {})
        elif name == "png":
            save_grid(shown, context, folder / "comparison.png")
        else:
            write = _WRITERS[name]
            frames = comparison_frames(shown, context, spread=example.stddev is not None)
            write(folder / f"comparison.{name}", frames, fps)
            for number, sample in enumerate(example.samples, 1):
                write(folder / f"sample_{number}.{name}", sample, fps)


def _write_arrays(example: Example, context: int, path: Path, places: Mapping[str, int]) -> None:
    arrays: dict[str, Any] = {
        **places,
        "context": example.truth[:context],
        "truth": example.truth[context:],
        "samples": example.samples,
    }
    if example.stddev is not None:
        arrays["stddev"] = example.stddev
    with writing(path):
        np.savez_compressed(path, **arrays)


def _write_even_mp4(path: Path, frames: Iterable[np.ndarray], fps: float) -> None:
    """MP4 takes even sizes only; a white line below or beside makes them so."""

    def even(frame: np.ndarray) -> np.ndarray:
        odd = [(0, size % 2) for size in frame.shape[:2]]
        return np.pad(frame, (*odd, (0, 0)), constant_values=255)

    write_mp4(path, map(even, frames), fps)


_WRITERS: dict[str, Callable[[Path, Any, float], None]] = {
    "gif": write_gif,
    "mp4": _write_even_mp4,
}
