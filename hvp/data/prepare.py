"""`python -m hvp prepare DATASET`: builds a data set in the layout that the loaders read."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from hvp.data.video_io import read_video, write_mp4
from hvp.errors import UserError, writing

KTH_FPS = 25
KTH_TEST_PERSONS = range(21, 26)
KTH_CLIP = re.compile(r"(person(\d\d)_[a-z]+_d\d)(_uncomp)?\.(avi|mp4)", re.IGNORECASE)
KTH_RANGES = re.compile(r"(person\d\d_[a-z]+_d\d)\s+(?:frames\s+([\d,\s-]+)|\*missing\*)\s*")
# The largest official clip is far below: an archive that declares more is not KTH.
MAX_CLIP_BYTES = 200 * 2**20
QUALITY = 1  # x264 constant rate factor: differences of about one grey level
NAMED_IN_ERRORS = 5
SETTINGS = ".prepared.json"  # in the folder that is made: what it was made with


class Clip(NamedTuple):
    """An official clip, a file or a member of a zip file."""

    name: str  # person01_boxing_d1
    path: Path
    member: str | None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}:{self.member}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("dataset", choices=["kth"], help="which data set")
    parser.add_argument(
        "--source",
        required=True,
        nargs="+",
        help="folder of official clips or zip files (searched below), or the zip files themselves",
    )
    parser.add_argument("--out", required=True, help="folder to make; pass it as --datadir")
    parser.add_argument("--size", type=int, default=64, help="height and width in pixels (64)")
    parser.add_argument(
        "--sequences",
        help="the official 00sequences.txt: keeps only the frames that it lists as containing the "
        "action, one clip a range",
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="clips at a time")
    parser.add_argument("--overwrite", action="store_true", help="make clips that are there again")


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    made, kept = prepare_kth(
        [Path(source) for source in arguments.source],
        Path(arguments.out),
        size=arguments.size,
        sequences=Path(arguments.sequences) if arguments.sequences else None,
        workers=arguments.workers,
        overwrite=arguments.overwrite,
    )
    there = f", {kept} were there already" if kept else ""
    print(f"{arguments.out}: {made} clips made{there}")
    print(f"train on it: python train.py --config configs/kth.yml --datadir {arguments.out}")


def prepare_kth(
    sources: list[Path],
    out: Path,
    *,
    size: int = 64,
    sequences: Path | None = None,
    workers: int | None = None,
    overwrite: bool = False,
) -> tuple[int, int]:
    """Makes `out/{train,test}/*.mp4` of the official KTH clips.

    Persons 1-20 are for training, 21-25 for testing. Interrupted and started again it goes on:
    a clip appears under its name only when it is complete.

    Args:
        sources: folders (searched below) of clips or zip files, or zip files.
        size: height and width of the result; the official clips are 160x120, so the picture is
            squeezed, as in the papers.
        sequences: `00sequences.txt`, to keep only the frames of the action: `NAME_1.mp4`, ...
        workers: clips decoded at a time.
        overwrite: make clips that are there already.

    Returns:
        Numbers of clips made now and found complete.

    Raises:
        UserError: when no clip is found, when `out` was made with another size or listing, and,
            after all others are done, naming the broken ones.
    """
    if workers is not None and workers < 1:
        raise UserError(f"--workers is {workers}; it must be at least 1")
    if size < 2 or size % 2:
        raise UserError(f"--size is {size}; it must be an even number of pixels")
    ranges = read_sequences(sequences) if sequences else None
    clips = sorted(find_clips(sources, out))
    with writing(out):
        for split in ("train", "test"):
            (out / split).mkdir(parents=True, exist_ok=True)
        _keep_settings(out, size, sequences)
    problems: list[str] = []
    made = kept = 0
    with tempfile.TemporaryDirectory(dir=out, prefix=".partial-") as scratch:

        def work(clip: Clip) -> tuple[int, int] | str:
            try:
                return _convert(clip, out, size, ranges, Path(scratch), overwrite)
            except UserError as error:
                if str(error).startswith("cannot write"):
                    raise
                return str(error)

        with ThreadPoolExecutor(workers) as pool:
            for result in tqdm(pool.map(work, clips), "converting", len(clips), unit="clip"):
                if isinstance(result, str):
                    problems.append(result)
                else:
                    made, kept = made + result[0], kept + result[1]
    if problems:
        listed = "; ".join(problems[:NAMED_IN_ERRORS])
        more = len(problems) - NAMED_IN_ERRORS
        raise UserError(
            f"{len(problems)} of {len(clips)} clips could not be used, {made + kept} clips are "
            f"complete in {out}: {listed}{f'; and {more} more' if more > 0 else ''}"
        )
    return made, kept


def _keep_settings(out: Path, size: int, sequences: Path | None) -> None:
    """Notes in `out` what its clips are made with; they must not be a mixture."""
    listing = hashlib.sha256(sequences.read_bytes()).hexdigest() if sequences else None
    settings = {"size": size, "sequences": listing}
    path = out / SETTINGS
    if not path.exists():
        path.write_text(json.dumps(settings), encoding="utf-8")
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: is damaged; choose another --out or delete {out}") from error
    if before != settings:
        raise UserError(
            f"--out: {out} was made with another --size or --sequences; choose another --out or "
            "delete that one"
        )


def find_clips(sources: list[Path], out: Path) -> list[Clip]:
    """The official clips in folders and zip files, each name once; not those that we made in `out`.

    Raises:
        UserError: if there are none, a source is missing, or a zip file is broken.
    """
    clips: dict[str, Clip] = {}
    ours = out.resolve()
    for source in sources:
        if not source.exists():
            raise UserError(f"--source: there is no {source}")
        files = _files_below(source) if source.is_dir() else [source]
        files = [path for path in files if ours not in path.resolve().parents]
        for path in files:
            if path.suffix.lower() == ".zip":
                members = _zip_members(path)
                found = [(Path(member).name, path, member) for member in members]
            else:
                found = [(path.name, path, None)]
            for name, where, member in found:
                match = KTH_CLIP.fullmatch(name)
                if match:
                    key = match[1].lower()
                    clips.setdefault(key, Clip(key, where, member))
    if not clips:
        raise UserError(
            f"--source: no KTH clip (personNN_ACTION_dN_uncomp.avi) in "
            f"{', '.join(map(str, sources))}; get the six zip files from "
            "https://www.csc.kth.se/cvap/actions/"
        )
    return list(clips.values())


def _files_below(folder: Path) -> list[Path]:
    def stop(error: OSError) -> None:
        raise UserError(f"{error.filename}: cannot be read: {error.strerror}")

    found = os.walk(folder, onerror=stop)
    return sorted(Path(where, name) for where, _, names in found for name in names)


def _zip_members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{path}: cannot be read as a zip file: {error}") from None


def read_sequences(path: Path) -> dict[str, list[tuple[int, int]]]:
    """Clip name -> frame ranges `(first, last)`, 1-based and inclusive, from `00sequences.txt`.

    Clips that the file marks as missing have no ranges.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--sequences {path}: cannot be read: {error}") from None
    ranges: dict[str, list[tuple[int, int]]] = {}
    for match in map(KTH_RANGES.fullmatch, text.splitlines()):
        if match:
            pairs = re.findall(r"(\d+)\s*-\s*(\d+)", match[2] or "")
            ranges[match[1]] = [(int(first), int(last)) for first, last in pairs]
            if any(not 1 <= first <= last for first, last in ranges[match[1]]):
                raise UserError(
                    f"--sequences {path}: {match[1]} lists {match[2].strip()}; ranges are "
                    "FIRST-LAST and count from 1"
                )
    if not ranges:
        raise UserError(f"--sequences {path}: lists no clips; is it the official 00sequences.txt?")
    return ranges


def _convert(
    clip: Clip,
    out: Path,
    size: int,
    ranges: dict[str, list[tuple[int, int]]] | None,
    scratch: Path,
    overwrite: bool,
) -> tuple[int, int]:
    """Makes the outputs of one clip; returns how many were made and how many were there."""
    split = "test" if int(clip.name[6:8]) in KTH_TEST_PERSONS else "train"
    if ranges is not None and clip.name not in ranges:
        raise UserError(f"{clip}: is not listed in --sequences")
    wanted = [(1, None)] if ranges is None else ranges[clip.name]
    suffixes = [""] if ranges is None else [f"_{i + 1}" for i in range(len(wanted))]
    targets = [out / split / f"{clip.name}{suffix}.mp4" for suffix in suffixes]
    if all(target.is_file() for target in targets) and not overwrite:
        return 0, len(targets)
    frames = _read(clip, size, scratch)
    for target, (first, last) in zip(targets, wanted, strict=True):
        if first > len(frames):
            raise UserError(f"{clip}: has {len(frames)} frames, --sequences lists {first}-{last}")
        if last is not None and last > len(frames):
            tqdm.write(
                f"note: {target.name} ends at frame {len(frames)}, the clip's last, instead of "
                f"{last} as --sequences lists",
                file=sys.stderr,
            )
        partial = scratch / target.name
        write_mp4(partial, frames[first - 1 : last], fps=KTH_FPS, quality=QUALITY)
        with writing(target):
            os.replace(partial, target)
    return len(targets), 0


def _read(clip: Clip, size: int, scratch: Path) -> np.ndarray:
    if clip.member is None:
        return read_video(clip.path, size, size, channels=3)
    # Under our own name: an archive's paths are never used to write.
    extracted = scratch / f"{clip.name}.avi"
    try:
        with zipfile.ZipFile(clip.path) as archive:
            if archive.getinfo(clip.member).file_size > MAX_CLIP_BYTES:
                raise UserError(f"{clip}: is larger than any KTH clip")
            with (
                archive.open(clip.member) as source,
                writing(extracted),
                extracted.open("wb") as target,
            ):
                shutil.copyfileobj(source, target)
        return read_video(extracted, size, size, channels=3)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise UserError(f"{clip}: is damaged: {error}") from None
    except UserError as error:
        raise UserError(str(error).replace(str(extracted), str(clip))) from error
    finally:
        extracted.unlink(missing_ok=True)
