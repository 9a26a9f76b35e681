"""`python -m hvp show`: what the model will see, before a day of training."""

from __future__ import annotations

import argparse
import csv
import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hvp.commands.options import add_overrides
from hvp.config import ExperimentConfig, load_config
from hvp.errors import UserError, writing
from hvp.families import FAMILIES
from hvp.files import require_writable

if TYPE_CHECKING:
    from hvp.data.dataset import VideoSplit
    from hvp.drawing.contact_sheet import ShownClip

SPLITS = ("train", "val", "test")
MOST_CLIPS = 100
FAINT = 16  # levels of 255; a clip whose values differ by less is hardly visible


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add = parser.add_argument
    add("--config", required=True, help="such as configs/kth.yml")
    add("--split", choices=SPLITS, default="train", help="train (default), val or test")
    add("--num-clips", type=int, default=12, metavar="N", help="clips shown (12)")
    add("--out", help="folder (show/NAME-SPLIT)")
    add("--datadir", help="overrides data.datadir")
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> None:
    """Writes contact_sheet.png, clips.gif and videos.csv, and says what to look out for."""
    if not 1 <= arguments.num_clips <= MOST_CLIPS:
        raise UserError(f"--num-clips must be from 1 to {MOST_CLIPS}, found {arguments.num_clips}")
    overrides = list(arguments.overrides)
    if arguments.datadir is not None:
        overrides.append(f"data.datadir={json.dumps(arguments.datadir)}")
    config = load_config(arguments.config, overrides)
    name = f"{config.name}-{arguments.split}"
    out = Path(arguments.out) if arguments.out else Path("show") / name
    require_writable(out)
    try:
        _show(config, arguments.split, arguments.num_clips, out)
    finally:
        if not any(out.iterdir()):
            out.rmdir()


def _show(config: ExperimentConfig, split_name: str, count: int, out: Path) -> None:
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.drawing.contact_sheet import save_clips_gif, save_contact_sheet
    from hvp.text import printable

    split = _open(config, split_name)
    clips = shown_clips(split, split_name, count)
    context = config.evaluation.context if _is_evaluated(config, split_name) else None
    kind = "grey" if config.data.channels == 1 else "RGB"
    title = (
        f"{config.name}: {config.data.dataset}, {split_name} split, {config.data.width}x"
        f"{config.data.height} {kind}, {len(clips)} of {split.num_windows} windows"
    )
    if context is not None:
        title += "; blue: context, orange: to be predicted"
    print(title)
    print(_lengths(split))
    for clip in clips:
        print(f"  {printable(clip.name)}: {clip.place}, {clip.values}")
    for note in suspicions(clips):
        print(f"note: {note}")
    save_contact_sheet(clips, title, out / "contact_sheet.png", context)
    save_clips_gif(clips, out / "clips.gif", context)
    _write_videos(split, out / "videos.csv")
    print(f"contact sheet: {printable(out / 'contact_sheet.png')}")
    print(f"animation: {printable(out / 'clips.gif')}")
    print(f"every video with its length: {printable(out / 'videos.csv')}")


def _open(config: ExperimentConfig, split_name: str) -> VideoSplit:
    """The split as training (train, val) or evaluation (test) opens it."""
    from hvp.data.dataset import VideoSplit

    if not _is_evaluated(config, split_name):
        return VideoSplit(config.data, split_name, seed=config.seed)
    settings = config.evaluation
    return VideoSplit(
        config.data,
        split_name,
        seq_len=settings.seq_len,
        seed=config.seed,
        unusable_videos=settings.unusable_videos,
    )


def _is_evaluated(config: ExperimentConfig, split_name: str) -> bool:
    """Whether a split is cut into context and future; a generator sees neither."""
    return split_name == "test" and not FAMILIES[config.model.family].generates


def shown_clips(split: VideoSplit, split_name: str, count: int) -> list[ShownClip]:
    """Clips from the loader: the first ones that training gets, or some spread over the split.

    Args:
        split: opened for `split_name`.
        count: of clips, at most; a split may have fewer.
    """
    from hvp.drawing.contact_sheet import ShownClip
    from hvp.pixels import to_uint8

    count = min(count, split.num_windows)
    if split_name == "train":
        windows = [int(number) for number in split.training_order()[:count]]
    else:
        windows = [int(n) for n in np.linspace(0, split.num_windows - 1, count).round()]
    clips = []
    for number, batch in zip(windows, split.evaluation_batches(1, windows=windows), strict=True):
        frames = to_uint8(batch["video"][0])
        masks = batch["masks"][0].numpy() if "masks" in batch else None
        clips.append(ShownClip(*split.window(number), frames, masks))
    return clips


def suspicions(clips: list[ShownClip]) -> list[str]:
    """What looks like a mistake in the data, one line each."""
    from hvp.text import printable

    still = [c for c in clips if len(c.frames) > 1 and not np.ptp(c.frames, axis=0).any()]
    faint = [c for c in clips if np.ptp(c.frames) < FAINT]
    first: dict[bytes, ShownClip] = {}
    repeated = [c for c in clips if first.setdefault(c.frames.tobytes(), c) is not c]
    findings = {
        "do not change from frame to frame": still,
        f"differ by less than {FAINT} of 255 levels, so are hardly visible": faint,
        "equal another one, pixel by pixel": repeated,
    }
    return [
        f"{len(found)} of the {len(clips)} clips shown {what}: "
        + ", ".join(f"{printable(c.name)} {c.place}" for c in found[:3])
        + (", ..." if len(found) > 3 else "")
        for what, found in findings.items()
        if found
    ]


def _lengths(split: VideoSplit) -> str:
    lengths = [length for _, length in split.videos]
    total = sum(lengths)
    unused = total - split.num_windows * split.seq_len
    spread = f"{lengths[0]} frames each"
    if min(lengths) != max(lengths):
        middle = statistics.median(lengths)
        spread = f"{min(lengths)} to {max(lengths)} frames (median {middle:g})"
    return (
        f"videos: {len(lengths)} of {spread}; windows: {split.num_windows} of {split.seq_len} "
        f"frames; {unused} of {total} frames ({unused / total:.0%}) are left over and not used; "
        f"videos left out: {len(split.skipped)}"
    )


def _write_videos(split: VideoSplit, path: Path) -> None:
    from hvp.text import printable

    with writing(path), path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["video", "frames", "windows"])
        for name, length in split.videos:
            table.writerow([printable(name), length, length // split.seq_len])
