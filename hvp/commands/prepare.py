"""`hvp prepare DATASET`: downloads or unpacks a data set and decodes it once."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hvp.commands.options import COUNT, add_count, add_out
from hvp.commands.parser import choice, real, size
from hvp.data.sources import DATA_SETS, PREPARED, data_set
from hvp.errors import UserError
from hvp.files import file_sha256
from hvp.text import one_line

if TYPE_CHECKING:
    from hvp.data.data_set import Clip, DataSet, Listing
    from hvp.data.prepare import Outcome
    from hvp.data.prepared_folder import Options

HELP = (
    "Downloads or unpacks a data set as its authors publish it, decodes it once into files that "
    "load fast, and checks what it made. Run again, it goes on."
)
ALIASES = {"toy": "moving_shapes"}
CROPS = ("center", "none")
SIXTEEN_BIT = ("error", "scale")
NUM_VIDEOS = 10000  # that are generated, as many as the motion GAN's paper stores
NUM_FRAMES = 16  # of each


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add = parser.add_argument
    add(
        "dataset",
        type=lambda name: ALIASES.get(name, name),
        help=f"which data set: {', '.join(n for n in DATA_SETS.names() if n != PREPARED)}; or toy, "
        "which is moving_shapes",
    )
    add(
        "--source",
        nargs="+",
        help="folders and .zip or .tar files of the data set as its authors publish it; without, "
        "it is downloaded where that is allowed, else the command says what to fetch",
    )
    add_out(parser, "folder to make; pass it as --datadir", required=True)
    add("--size", type=size, help="N, or HEIGHTxWIDTH, in pixels; default: the paper's")
    add("--channels", type=int, choices=(1, 3), help="1: grey, 3: RGB; default: the paper's")
    add(
        "--crop",
        type=choice(CROPS),
        choices=CROPS,
        help="center: the middle of the picture; none: squeezed; default: the paper's",
    )
    thinned = parser.add_mutually_exclusive_group()
    thinned.add_argument("--every", type=COUNT, default=1, help="keep every n-th frame")
    thinned.add_argument(
        "--fps",
        type=real(0.001, 1000),
        help="frames a second, by the videos' own times; default: all frames",
    )
    add_count(parser, "--max-frames", "frames of each video, from its start")
    add_count(parser, "--num-videos", "of generated data: training videos to make (10000)")
    add("--sequences", help="kth: the official 00sequences.txt; one clip for each range in it")
    add("--workers", type=COUNT, default=os.cpu_count(), help="shards made at a time")
    add("--salvage", action="store_true", help="use what decodes of damaged videos, and name them")
    add(
        "--sixteen-bit",
        type=choice(SIXTEEN_BIT),
        choices=SIXTEEN_BIT,
        default="error",
        help="scale: take 16-bit grey pictures and arrays, 0 to 65535 as 0 to 255; default: refuse",
    )
    add("--overwrite", action="store_true", help="start afresh instead of going on")
    add("--check", action="store_true", help="only verify what is in --out")


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    out = Path(arguments.out)
    if arguments.check:
        _check(out)
        return
    if arguments.dataset == PREPARED:
        raise UserError(f"DATASET is {PREPARED!r}, which is what this command makes of another one")
    chosen = data_set(arguments.dataset, asked_by="DATASET")
    options = _options(arguments, chosen)
    listing = chosen.read_listing(Path(arguments.sequences)) if arguments.sequences else None
    from hvp.data.prepare_state import alone, start_afresh

    with alone(out):
        if arguments.overwrite:
            start_afresh(out)
        _prepare(arguments, chosen, out, options, listing)


def _prepare(
    arguments: argparse.Namespace,
    chosen: DataSet,
    out: Path,
    options: Options,
    listing: Listing | None,
) -> None:
    from hvp.data.prepare import prepare

    sources, clips, unreadable = _find_clips(arguments, chosen, out, listing)
    outcome = prepare(
        chosen.name, clips, out, options, [str(s) for s in sources], arguments.workers
    )
    _require_all(outcome, unreadable, len(clips), out)
    there = f", {outcome.kept} were there already" if outcome.kept else ""
    print(f"{out}: {outcome.made} clips made{there}")
    if chosen.protocol:
        print(f"used in the papers as: {chosen.protocol}")
    print(
        f"train on it: python -m hvp train --config CONFIG --set data.dataset={chosen.name} "
        f"--datadir {out}"
    )


def _find_clips(
    arguments: argparse.Namespace, chosen: DataSet, out: Path, listing: Listing | None
) -> tuple[list[Path], list[Clip], list[str]]:
    """Where the data set is, its clips, and what of it cannot be read."""
    from hvp.data.find_clips import find_clips, generated_clips

    if not chosen.stored:
        if arguments.source:
            raise UserError(f"--source: {chosen.name} is generated, not read")
        count, frames = arguments.num_videos or NUM_VIDEOS, arguments.max_frames or NUM_FRAMES
        return [], generated_clips(chosen, count, frames), []
    if arguments.num_videos:
        raise UserError("--num-videos is for data that are generated, such as moving_shapes")
    sources = [Path(source) for source in arguments.source or []] or _download(chosen, out)
    return sources, *find_clips(chosen, sources, out, listing)


def _require_all(outcome: Outcome, unreadable: list[str], num_clips: int, out: Path) -> None:
    """Names what was left out, and raises a `UserError` if anything was."""
    from hvp.data.unusable import some_of

    problems = unreadable + outcome.problems
    for problem in problems:
        print(f"left out: {one_line(problem)}", file=sys.stderr)
    if problems:
        raise UserError(
            f"{len(problems)} of {num_clips + len(unreadable)} clips could not be used, "
            f"{outcome.made + outcome.kept} clips are complete in {out}: {some_of(problems)}"
        )


def _options(arguments: argparse.Namespace, chosen: DataSet) -> Options:
    from hvp.data.prepared_folder import Options

    usual = chosen.preparation
    height, width = arguments.size or (usual.height, usual.width)
    listing = arguments.sequences
    return Options(
        height=height,
        width=width,
        channels=arguments.channels or usual.channels,
        crop=arguments.crop or usual.crop,
        every=arguments.every,
        fps=arguments.fps,
        max_frames=arguments.max_frames,
        sequences=file_sha256(Path(listing)) if listing and Path(listing).is_file() else None,
        salvage=arguments.salvage,
        sixteen_bit=arguments.sixteen_bit,
    )


def _download(chosen: DataSet, out: Path) -> list[Path]:
    from hvp.data.downloads import fetch
    from hvp.data.find_clips import DOWNLOADS

    if not chosen.downloads:
        raise UserError(f"{chosen.name} cannot be downloaded by this command: {chosen.advice}")
    return [fetch(download, out / DOWNLOADS) for download in chosen.downloads]


def _check(out: Path) -> None:
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.data.records import check
    from hvp.data.unusable import some_of

    clips, frames, problems = check(out)
    if problems:
        raise UserError(
            f"{out}: {len(problems)} shards are damaged; run the command without --check, it makes "
            f"them anew: {some_of(problems)}"
        )
    print(f"{out}: {clips} clips, {frames} frames, all as they were made")
