"""`python -m hvp generate`: videos of a trained generator, with its motion as asked for."""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hvp.commands.options import check_fps, check_seed, parse_formats
from hvp.errors import UserError, writing

if TYPE_CHECKING:
    from hvp.models.motion_gan.model import MotionGAN

FORMATS = ("gif", "mp4", "png", "jpg", "strip")
JPEG_QUALITY = 95  # what StyleGAN-V's evaluation, which this family is compared by, asks for
LATEST = 10000  # beyond, float32 does not tell a clip's frames apart well enough
SUMMARY_FILE = "generated.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add = parser.add_argument
    add("--logdir", required=True, help="an experiment, logs/NAME or logs/NAME/model")
    add("--out", help="folder (EXPERIMENT/generated)")
    add("--num-videos", type=int, default=16, metavar="N", help="how many (16)")
    add("--frames", type=int, metavar="N", help="frames of each (the training clips')")
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
        type=int,
        metavar="K",
        help="number of the band whose motion comes from another motion code",
    )
    add(
        "--hold",
        choices=("content", "motion"),
        help="all videos have the same content, or the same motion",
    )
    add("--format", default="gif", metavar="A,B", help=f"of {','.join(FORMATS)} (gif)")
    add("--fps", type=float, default=12, help="frames per second of GIF and MP4 (12)")
    add("--seed", type=int, help="of the codes (the experiment's)")
    add("--checkpoint", default="latest", metavar="WHICH", help="latest (default), best or a step")


def run(arguments: argparse.Namespace) -> None:
    """Generates videos into `--out`, one file or folder each, and `generated.json`."""
    from hvp.config import load_config
    from hvp.experiment.folder import CONFIG_FILE, find_run_folder, require_generator

    formats = _formats(arguments.format)
    bands = _bands(arguments)
    _check_numbers(arguments)
    experiment = find_run_folder(arguments.logdir)
    config = load_config(experiment / CONFIG_FILE)
    require_generator(experiment, config)
    frames = arguments.frames or config.model.video_length
    seed = config.seed if arguments.seed is None else arguments.seed
    out = Path(arguments.out) if arguments.out else experiment / "generated"
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)

    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.experiment.checkpoints import load_experiment
    from hvp.pixels import to_uint8

    _, model, step = load_experiment(experiment, arguments.checkpoint)
    _check_leftovers(out, arguments.num_videos)
    time_range = tuple(arguments.range) if arguments.range else None
    for number, codes in enumerate(_codes(model, arguments, seed)):
        videos = model.generate(1, frames, time_range=time_range, bands=bands, codes=codes)
        video = to_uint8(videos[0])
        for name in formats:
            _WRITERS[name](out / f"video_{number:05d}", video, arguments.fps)
    about = {
        "experiment": str(experiment),
        "checkpoint_step": step,
        "num_videos": arguments.num_videos,
        "frames": frames,
        "range": arguments.range,
        "bands": None if bands is None else [str(edge) for edge in bands.edges],
        "relative": arguments.relative,
        "keep": None if bands is None or bands.keep is None else list(bands.keep),
        "exchange": arguments.exchange,
        "hold": arguments.hold,
        "seed": seed,
    }
    with writing(out):
        (out / SUMMARY_FILE).write_text(json.dumps(about, indent=2), encoding="utf-8")
    print(f"videos generated: {arguments.num_videos} of {frames} frames, step {step}: {out}")


def _codes(model: MotionGAN, arguments: argparse.Namespace, seed: int):
    """Each video's codes; a function of seed and number, whatever is done to the bands.

    Drawn one by one: the noise of thousands of large videos would fill the memory.
    """
    from hvp.models.base import fold_in
    from hvp.models.motion_gan.model import Codes

    first = model.draw_codes(1, fold_in((seed, 0), 0))
    for number in range(arguments.num_videos):
        own = model.draw_codes(1, fold_in((seed, 0), number))
        held = first if arguments.hold == "content" else own
        motion: Any = (first if arguments.hold == "motion" else own).motion
        if arguments.exchange is not None:
            motion = [motion] * len(arguments.bands.split(","))
            motion[arguments.exchange] = model.draw_codes(1, fold_in((seed, 1), number)).motion
        yield Codes(held.content, motion, held.noise)


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


def _bands(arguments: argparse.Namespace):
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
    if arguments.exchange is not None and not 0 <= arguments.exchange < len(edges):
        raise UserError(
            f"--exchange {arguments.exchange}: bands are numbered 0 to {len(edges) - 1}"
        )
    try:
        return Bands(edges, keep, arguments.relative).check()
    except ValueError as error:
        raise UserError(f"--bands {arguments.bands}: {error}") from None


def _numbers(flag: str, text: str, kind: Callable[[str], Any]) -> tuple[Any, ...]:
    try:
        numbers = tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"{flag} {text}: expected numbers with commas between them") from None
    if any(math.isnan(number) for number in numbers):
        raise UserError(f"{flag} {text}: expected numbers with commas between them")
    return numbers


def _formats(text: str) -> list[str]:
    formats = parse_formats(text, FORMATS)
    if "png" in formats and "jpg" in formats:
        raise UserError(f"--format {text}: png and jpg both write folders of frames; choose one")
    return formats


def _check_numbers(arguments: argparse.Namespace) -> None:
    for flag in ("num_videos", "frames"):
        value = getattr(arguments, flag)
        if value is not None and value < 1:
            raise UserError(f"--{flag.replace('_', '-')} must be at least 1, found {value}")
    if arguments.seed is not None:
        check_seed(arguments.seed)
    check_fps(arguments.fps)
    if arguments.range:
        start, stop = arguments.range
        if not start < stop:
            raise UserError(f"--range {start:g} {stop:g}: the end must come after the start")
        if max(abs(start), abs(stop)) > LATEST:
            raise UserError(f"--range {start:g} {stop:g}: must lie within {-LATEST} to {LATEST}")


def _write_gif(path: Path, video: np.ndarray, fps: float) -> None:
    from hvp.data.video_io import write_gif

    write_gif(path.with_suffix(".gif"), video, fps)


def _write_mp4(path: Path, video: np.ndarray, fps: float) -> None:
    from hvp.data.video_io import write_mp4

    write_mp4(path.with_suffix(".mp4"), iter(video), fps)


def _frame_writer(suffix: str, **options: Any) -> Callable[[Path, np.ndarray, float], None]:
    """A folder of frames, as `hvp fvd` and StyleGAN-V's evaluation read them."""

    def write(path: Path, video: np.ndarray, fps: float) -> None:
        with writing(path):
            path.mkdir(exist_ok=True)
            for old in path.glob(f"*{suffix}"):
                old.unlink()  # of a longer video
            for number, frame in enumerate(video):
                _image(frame).save(path / f"{number:06d}{suffix}", **options)

    return write


def _write_strip(path: Path, video: np.ndarray, fps: float) -> None:
    """All frames in a row."""
    with writing(path):
        _image(np.concatenate(list(video), axis=1)).save(path.with_suffix(".png"))


def _image(frame: np.ndarray):
    from PIL import Image

    return Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame)


_WRITERS: dict[str, Callable[[Path, np.ndarray, float], None]] = {
    "gif": _write_gif,
    "mp4": _write_mp4,
    "png": _frame_writer(".png"),
    "jpg": _frame_writer(".jpg", quality=JPEG_QUALITY),
    "strip": _write_strip,
}
