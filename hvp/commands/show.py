"""`hvp show`: what the model will see, before a day of training."""

from __future__ import annotations

import argparse
import csv
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from hvp.commands.options import add_configuration, add_count, add_out, read_configuration
from hvp.commands.parser import choice
from hvp.errors import writing
from hvp.families import FAMILIES
from hvp.files import require_writable
from hvp.text import printable

if TYPE_CHECKING:
    from hvp.config import ExperimentConfig
    from hvp.data.video_split import VideoSplit

HELP = (
    "Shows clips of a data set as the model will get them, as a contact sheet and an animation, "
    "lists every video with its length, and says what looks like a mistake. Works for the "
    "configuration of any family, and needs no training."
)
SPLITS = ("train", "val", "test")
MOST_CLIPS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_configuration(parser)
    parser.add_argument(
        "--split",
        type=choice(SPLITS),
        choices=SPLITS,
        default="train",
        help="train (default), val or test",
    )
    add_count(parser, "--num-clips", "clips shown", default=12, most=MOST_CLIPS)
    add_out(parser, "folder (show/NAME-SPLIT)")


def run(arguments: argparse.Namespace) -> None:
    """Writes contact_sheet.png, clips.gif and videos.csv, and says what to look out for."""
    config = read_configuration(arguments)
    out = Path(arguments.out or Path("show") / f"{config.name}-{arguments.split}")
    require_writable(out)
    try:
        _show(config, arguments.split, arguments.num_clips, out)
    finally:
        if not any(out.iterdir()):
            out.rmdir()


def _show(config: ExperimentConfig, split_name: str, count: int, out: Path) -> None:
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.data.lengths import with_lengths
    from hvp.drawing.contact_sheet import save_clips_gif, save_contact_sheet
    from hvp.drawing.shown_clips import shown_clips, suspicions

    config = with_lengths(config)
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
    from hvp.data.video_split import VideoSplit, evaluation_split

    if _is_evaluated(config, split_name):
        return evaluation_split(config, split_name)
    return VideoSplit(config.data, split_name, seed=config.seed)


def _is_evaluated(config: ExperimentConfig, split_name: str) -> bool:
    """Whether a split is cut into context and future; a generator sees neither."""
    return split_name == "test" and not FAMILIES[config.model.family].generates


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
    with writing(path), path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["video", "frames", "windows"])
        for name, length in split.videos:
            table.writerow([printable(name), length, length // split.seq_len])
