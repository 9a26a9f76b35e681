"""`auto` lengths: windows, context and evaluation that fit the videos at hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from hvp.config import AUTO, ExperimentConfig
from hvp.data.generated_videos import GeneratedVideos
from hvp.data.sources import open_source, validation_videos
from hvp.errors import UserError
from hvp.families import FAMILIES

LONGEST_WINDOW = 32  # frames: longer ones cost time and memory, and teach little more
AUTO_KEYS = ("data.seq_len", "evaluation.context", "evaluation.seq_len")


def with_lengths(
    config: ExperimentConfig, report: Callable[[str], None] = print
) -> ExperimentConfig:
    """The experiment with numbers in place of `auto`.

    - `data.seq_len`: the shortest training or validation video, at most 32 frames;
    - `evaluation.context`: half a training window;
    - `evaluation.seq_len`: the shortest test video, at most two training windows.

    Args:
        config: any experiment; one without `auto` comes back as it is.
        report: called with a line that says the lengths.

    Raises:
        UserError: if the data cannot be opened or are too short, or are generated and so have no
            lengths of their own.
    """
    window, context, total = (
        config.data.seq_len,
        config.evaluation.context,
        config.evaluation.seq_len,
    )
    if AUTO not in (window, context, total):
        return config
    said = ""
    if window == AUTO:
        found = _lengths(config, ["train"])
        if validation_videos(config.data) == "val" and config.training.validate_every:
            found += _lengths(config, ["val"])
        window = min(*found, LONGEST_WINDOW)
        said = f"training videos of {_range(found)} frames, windows of {window}"
    if total == AUTO:
        found = _lengths(config, ["test"])
        total = min(*found, 2 * window)
        said += f"{'; ' if said else ''}test videos of {_range(found)} frames, {total} evaluated"
    if context == AUTO:
        context = min(window, total) // 2
        if context < 1 and not FAMILIES[config.model.family].generates:
            raise UserError(
                f"{config.source or config.name}: evaluation.context is auto, and windows of "
                f"{min(window, total)} frames leave none; use longer videos"
            )
    report(f"lengths: {said}{'; ' if said else ''}{context} shown, {total - context} predicted")
    evaluation = dataclasses.replace(config.evaluation, context=context, seq_len=total)
    return dataclasses.replace(config.replace("data", seq_len=window), evaluation=evaluation)


def _lengths(config: ExperimentConfig, splits: list[str]) -> list[int]:
    """Frames of the videos of some splits, those that training and evaluation would see."""
    data, found = dataclasses.replace(config.data, seq_len=1), []
    for split in splits:
        if split == "test":
            unusable = config.evaluation.unusable_videos
            data = dataclasses.replace(data, max_video_len=None, unusable_videos=unusable)
        source = open_source(data, split, 1, config.seed)
        if isinstance(source, GeneratedVideos):
            raise UserError(
                f"{config.source or config.name}: {' and '.join(_auto_keys(config))} cannot be "
                f"auto: {config.data.dataset} is generated, in any length; give numbers"
            )
        found += source.lengths
    return found


def _auto_keys(config: ExperimentConfig) -> list[str]:
    sections = {"data": config.data, "evaluation": config.evaluation}
    pairs = (key.split(".") for key in AUTO_KEYS)
    return [f"{name}.{key}" for name, key in pairs if getattr(sections[name], key) == AUTO]


def _range(lengths: list[int]) -> str:
    low, high = min(lengths), max(lengths)
    return str(low) if low == high else f"{low} to {high}"
