"""`hvp generate`: videos of a trained generator, with its motion as asked for."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hvp.commands import options
from hvp.commands.parser import choice
from hvp.errors import UserError, writing
from hvp.files import require_writable

if TYPE_CHECKING:
    from hvp.models.motion_gan.bands import Bands
    from hvp.models.motion_gan.codes import Codes
    from hvp.models.motion_gan.model import MotionGAN

HELP = (
    "Draws videos from a trained generator: as many and as long as asked for, with some bands of "
    "their motion's frequencies left out or exchanged."
)
FORMATS = ("gif", "mp4", "png", "jpg", "strip")
LATEST = 10000  # beyond, float32 does not tell a clip's frames apart well enough
SUMMARY_FILE = "generated.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add = parser.add_argument
    options.add_experiment(parser)
    options.add_out(parser, "folder (EXPERIMENT/generated)")
    options.add_count(parser, "--num-videos", "how many", default=16)
    options.add_count(parser, "--frames", "frames of each (the training clips')")
    add(
        "--range",
        type=float,
        nargs=2,
        metavar=("START", "STOP"),
        help="times of the frames; a training clip spans -1 to 1: more frames over it are "
        "interpolated, -1 3 goes on as long again (default: the training rate, from -1 on)",
    )
    add(
        "--bands",
        metavar="A,B,inf",
        help="upper ends of frequency bands, in radians a unit of time; band 0 starts at 0",
    )
    add(
        "--relative",
        action="store_true",
        help="the ends of the bands are shares of the highest learned frequency",
    )
    add("--keep", metavar="K,L", help="numbers of the bands that still move the videos")
    add(
        "--exchange",
        metavar="K | A,B,...",
        help="number of the band whose motion comes from another motion code; or numbers of motion "
        "codes, one for each band: 0 is the video's own, the others are drawn by number",
    )
    held = ("content", "motion")
    add(
        "--hold",
        type=choice(held),
        choices=held,
        help="all videos have the same content, or the same motion",
    )
    options.add_formats(parser, FORMATS, default="gif")
    options.add_fps(parser)
    options.add_seed(parser, "of the codes")
    options.add_devices(parser)


def run(arguments: argparse.Namespace) -> None:
    """Generates videos into `--out`, one file or folder each, and `generated.json`."""
    from hvp.experiment.folder import require_generator

    _check_formats(arguments.format)
    _check_range(arguments.range)
    bands = _bands(arguments)
    exchange = None
    if bands is not None and arguments.exchange is not None:
        exchange = _exchange(arguments.exchange, bands)
    experiment = options.open_experiment(arguments, require_generator)
    config = experiment.config
    frames = arguments.frames or config.model.video_length
    seed = options.seed_of(arguments, config)
    out = Path(arguments.out or experiment.results / "generated")
    require_writable(out)
    _check_leftovers(out, arguments.num_videos)
    devices = options.devices_of(arguments)
    model, step = experiment.load(devices)

    from hvp.drawing.video_files import write_video
    from hvp.pixels import to_uint8

    generator = cast("MotionGAN", model)  # whose codes, bands and times these are
    time_range = tuple(arguments.range) if arguments.range else None
    all_codes = _codes(model, arguments, seed, exchange)
    number = 0
    watched = options.watched(all_codes, arguments.num_videos, "video")
    for codes in _together(watched, devices.num_replicas_in_sync):
        count = len(codes.content)
        videos = generator.generate(count, frames, time_range=time_range, bands=bands, codes=codes)
        for video in to_uint8(videos):
            for kind in arguments.format:
                write_video(out / f"video_{number:05d}", video, arguments.fps, kind)
            number += 1
    about = {
        "experiment": str(experiment.folder),
        "checkpoint_step": step,
        "num_videos": arguments.num_videos,
        "frames": frames,
        "range": arguments.range,
        "relative": arguments.relative,
        "exchange": None if exchange is None else list(exchange),
        "hold": arguments.hold,
        "seed": seed,
        "bands": None if bands is None else [str(edge) for edge in bands.edges],
        "keep": None if bands is None or bands.keep is None else list(bands.keep),
    }
    with writing(out):
        (out / SUMMARY_FILE).write_text(json.dumps(about, indent=2), encoding="utf-8")
    print(f"videos generated: {arguments.num_videos} of {frames} frames, step {step}: {out}")


def _codes(
    model: MotionGAN, arguments: argparse.Namespace, seed: int, exchange: tuple[int, ...] | None
) -> Iterator[Codes]:
    """Each video's codes; a function of seed and number, whatever is done to the bands.

    `exchange` has the number of a motion code for each band; see `_exchange`.

    Drawn one by one: the noise of thousands of large videos would fill the memory.
    """
    from hvp.models.motion_gan.codes import Codes
    from hvp.models.seeds import fold_in

    first = model.draw_codes(1, fold_in((seed, 0), 0))
    for number in range(arguments.num_videos):
        own = model.draw_codes(1, fold_in((seed, 0), number))
        held = first if arguments.hold == "content" else own
        motion: Any = (first if arguments.hold == "motion" else own).motion
        if exchange is not None:
            others = {
                code: model.draw_codes(1, fold_in((seed, code), number)).motion
                for code in set(exchange) - {0}
            }
            motion = [others.get(code, motion) for code in exchange]
        yield Codes(held.content, motion, held.noise)


def _together(codes: Iterator[Codes], count: int) -> Iterator[Codes]:
    """Those of up to `count` videos in one, as many as there are devices."""
    import tensorflow as tf

    while some := list(itertools.islice(codes, count)):
        yield tf.nest.map_structure(lambda *parts: tf.concat(parts, 0), *some)


def _check_leftovers(out: Path, num_videos: int) -> None:
    """Raises a `UserError` for videos that would lie between the new ones, and be judged so."""
    with writing(out):
        numbered = [path for path in out.iterdir() if re.fullmatch(r"video_\d{5,}", path.stem)]
    old = sorted(path.name for path in numbered if int(path.stem[6:]) >= num_videos)
    if old:
        raise UserError(
            f"{out}: holds {len(old)} videos of a longer run, such as {old[0]}, which would mix "
            "with the new ones; remove them, or choose another --out"
        )


def _bands(arguments: argparse.Namespace) -> Bands | None:
    """The bands that the arguments name, or `None`."""
    if arguments.bands is None:
        given = [
            f"--{name}" for name in ("keep", "exchange") if getattr(arguments, name) is not None
        ]
        if given or arguments.relative:
            raise UserError(f"{' and '.join(given) or '--relative'}: needs --bands, such as 3,inf")
        return None
    from hvp.models.motion_gan.bands import Bands

    edges = _numbers("--bands", arguments.bands, float)
    keep = None if arguments.keep is None else _numbers("--keep", arguments.keep, int)
    if arguments.keep is None and arguments.exchange is None:
        raise UserError(
            f"--bands {arguments.bands}: say what to do with them: --keep or --exchange"
        )
    try:
        return Bands(edges, keep, arguments.relative).check()
    except ValueError as error:
        raise UserError(f"--bands {arguments.bands}: {error}") from None


def _exchange(text: str, bands: Bands) -> tuple[int, ...]:
    """The number of each band's motion code, from a band's number or from a list of codes."""
    given, count = _numbers("--exchange", text, int), len(bands.edges)
    if "," not in text:
        if not 0 <= given[0] < count:
            raise UserError(f"--exchange {text}: bands are numbered 0 to {count - 1}")
        return tuple(int(band == given[0]) for band in range(count))
    if len(given) != count or not all(0 <= code < 2**31 for code in given):
        raise UserError(
            f"--exchange {text}: expected a number from 0 for each of the {count} bands of --bands"
        )
    return given


def _numbers(flag: str, text: str, kind: Callable[[str], Any]) -> tuple[Any, ...]:
    try:
        numbers = tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"{flag} {text}: expected numbers with commas between them") from None
    if any(math.isnan(number) for number in numbers):
        raise UserError(f"{flag} {text}: expected numbers with commas between them")
    return numbers


def _check_formats(formats: list[str]) -> None:
    if "png" in formats and "jpg" in formats:
        raise UserError(
            f"--format {','.join(formats)}: png and jpg both write folders of frames; choose one"
        )


def _check_range(span: list[float] | None) -> None:
    if span is None:
        return
    start, stop = span
    if not start < stop:
        raise UserError(f"--range {start:g} {stop:g}: the end must come after the start")
    if max(abs(start), abs(stop)) > LATEST:
        raise UserError(f"--range {start:g} {stop:g}: must lie within {-LATEST} to {LATEST}")
