"""What `prepare` keeps in its folder between runs: a lock, options, notes on finished shards."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from hvp.data.prepared_folder import (
    FORMAT,
    INFO,
    Options,
    Shard,
    is_prepared,
    read_info,
    read_json,
    shard_problem,
    write_json,
)
from hvp.data.unusable import some_of
from hvp.errors import UserError, writing
from hvp.files import file_sha256

WORK = ".work"  # in the output folder: notes on finished shards, unpacked archives, lock
LOCK = "lock"
OPTIONS = "options.json"


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Makes the folder `out`; refuses to work where another process does.

    Raises:
        UserError: then, or if `out` cannot be written.
    """
    with writing(out):
        (out / WORK).mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with writing(out):
        lock = (out / WORK / LOCK).open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(f"--out: another process is preparing {out}") from error
        try:
            yield
        finally:
            work = out / WORK
            if work.is_dir() and [path.name for path in work.iterdir()] == [LOCK]:
                shutil.rmtree(work)


def start_afresh(out: Path) -> None:
    """Removes what an earlier run made, and nothing else."""
    with writing(out):
        for path in [out / INFO, *_shards_in(out)]:
            path.unlink(missing_ok=True)
        for path in (out / WORK).iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()


def _shards_in(out: Path) -> list[Path]:
    """All shards, finished or not, of this or earlier runs; no other TFRecords."""
    name = re.compile(r"(train|val|test)-\d{5,}-of-\d{5,}\.tfrecord(\.partial)?")
    return [path for path in out.iterdir() if name.fullmatch(path.name)]


def keep_options(dataset: str, out: Path, options: Options) -> None:
    """Notes in `out` what its clips look like; they must not be a mixture.

    Raises:
        UserError: if it was made of another data set or with other options.
    """
    wanted = {"dataset": dataset, "options": options.to_dict()}
    path = out / WORK / OPTIONS
    before = None
    if is_prepared(out):
        info = read_info(out)
        before = {"dataset": info.dataset, "options": info.options.to_dict()}
    elif path.exists():
        try:
            before = read_json(path)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: is damaged; choose another --out or delete {out}") from error
    if before is not None and before != wanted:
        raise UserError(
            f"--out: {out} was made of another data set or with other options, such as --size; "
            "choose another --out, delete that one, or start it afresh with --overwrite"
        )
    write_json(path, wanted)


def note_shard(out: Path, shard: Shard) -> None:
    """Notes that a shard is finished."""
    write_json(out / WORK / f"{shard.file}.json", dataclasses.asdict(shard))


def shards_made(out: Path) -> dict[str, Shard]:
    """The shards that earlier runs finished and that are still whole, by file."""
    found: list[Shard] = read_info(out).shards if is_prepared(out) else []
    for path in sorted((out / WORK).glob("*.tfrecord.json")):
        try:
            found.append(TypeAdapter(Shard).validate_python(read_json(path)))
        except (OSError, ValueError):
            continue  # it is made again
    return {shard.file: shard for shard in found if _is_whole(out, shard)}


def _is_whole(out: Path, shard: Shard) -> bool:
    if not shard.clips:
        return True
    return shard_problem(out, shard) is None and file_sha256(out / shard.file) == shard.sha256


def finish(
    dataset: str, out: Path, options: Options, sources: list[str], shards: list[Shard]
) -> None:
    """Writes `info.json` and removes what is no longer needed.

    Raises:
        UserError: if no shard has clips.
    """
    import hvp

    problems = [problem for shard in shards for problem in shard.problems]
    full = [shard for shard in shards if shard.clips]
    if not full:
        raise UserError(f"no clip could be used, so there is nothing in {out}: {some_of(problems)}")
    splits: dict[str, list[Shard]] = {}
    for shard in full:
        splits.setdefault(str(shard.split), []).append(shard)
    info: dict[str, Any] = {
        "format": FORMAT,
        "dataset": dataset,
        "made_by": f"hvp {hvp.__version__}",
        "sources": sources,
        "options": options.to_dict(),
        "counts": {
            split: {
                "clips": sum(len(shard.clips) for shard in shards),
                "frames": sum(shard.num_frames for shard in shards),
            }
            for split, shards in splits.items()
        },
        "problems": problems,
        "splits": {
            split: [dataclasses.asdict(shard) for shard in shards]
            for split, shards in splits.items()
        },
    }
    write_json(out / INFO, info)
    with writing(out):
        wanted = {shard.file for shard in full}
        for path in _shards_in(out):
            if path.name not in wanted:  # of an earlier run, with other clips or killed
                path.unlink()
        if not problems:
            shutil.rmtree(out / WORK)
