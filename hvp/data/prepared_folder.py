"""What `info.json` says of a folder that `prepare` made, checked before anything is believed.

Beside it lie TFRecord shards of uint8 clips; see `hvp.data.records`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import stat
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from hvp.errors import UserError
from hvp.files import replacing

INFO = "info.json"
FORMAT = 1
MAX_INFO_BYTES = 48 * 2**20  # read into at most 1.5 GiB of memory, whatever it is
MAX_CLIPS = 500_000  # that fit into it, with names of 40 letters
MAX_SIDE = 2**14  # pixels; see also `hvp.data.array_files.MAX_FRAME_PIXELS`
RECORD_END = 4  # bytes of a checksum after each record


def _bare(name: str) -> str:
    if Path(name).name != name or not name.endswith(".tfrecord") or "\0" in name:
        raise ValueError("is no plain name of a .tfrecord file")
    return name


Count = Annotated[int, Field(ge=0, strict=True)]
Positive = Annotated[int, Field(ge=1, strict=True)]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE, strict=True)]


@dataclasses.dataclass(frozen=True)
class Options:
    """What prepared clips look like. See `read_video` for `crop`, `every`, `fps`, `max_frames`.

    Attributes:
        sequences: SHA-256 of KTH's list of ranges, where it was used.
        salvage: whether damaged videos gave what decodes of them.
        sixteen_bit: `scale` took 16-bit grey pictures and arrays.
    """

    height: Side
    width: Side
    channels: Literal[1, 3]
    crop: Literal["none", "center"] = "none"
    every: Positive = 1
    fps: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)] | None = None
    max_frames: Positive | None = None
    sequences: str | None = None
    salvage: Annotated[bool, Field(strict=True)] = False
    sixteen_bit: Literal["error", "scale"] = "error"

    def to_dict(self) -> dict[str, Any]:
        """As it is stored. What came later is left out where it is not used: older folders fit."""
        stored = dataclasses.asdict(self)
        if not self.salvage:
            del stored["salvage"]
        if self.sixteen_bit == "error":
            del stored["sixteen_bit"]
        return stored

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return self.height, self.width, self.channels


SplitName = Literal["train", "val", "test"]


@dataclasses.dataclass(frozen=True, slots=True)
class ClipEntry:
    """A clip of a shard: `length` frames from byte `offset` on."""

    name: str
    length: Count
    offset: Count


@dataclasses.dataclass(frozen=True)
class Shard:
    """A TFRecord file and what is in it.

    Attributes:
        split, made_from, problems: set by `prepare`: what it was made of, and clips left out.
    """

    file: Annotated[str, AfterValidator(_bare)]
    bytes: Count
    sha256: str
    clips: list[ClipEntry]
    split: SplitName | None = None
    made_from: str = ""
    problems: list[Any] = dataclasses.field(default_factory=list)

    @property
    def num_frames(self) -> int:
        return sum(clip.length for clip in self.clips)


@dataclasses.dataclass(frozen=True)
class Info:
    """The content of `info.json`. What only people read is not checked."""

    format: Literal[1]
    dataset: str
    options: Options
    splits: dict[SplitName, list[Shard]]
    made_by: Any = ""
    sources: Any = dataclasses.field(default_factory=list)
    counts: Any = dataclasses.field(default_factory=dict)
    problems: Any = dataclasses.field(default_factory=list)

    @property
    def shards(self) -> list[Shard]:
        return [shard for shards in self.splits.values() for shard in shards]


def is_prepared(folder: str | Path | None) -> bool:
    """Whether a folder is one that `prepare` has finished."""
    return folder is not None and os.path.isfile(os.path.join(folder, INFO))


def read_info(folder: Path) -> Info:
    """The `info.json` of a prepared folder.

    Raises:
        UserError: if it is missing, damaged, of another version, or lists what no file can hold.
    """
    path = folder / INFO
    if not path.exists():
        raise UserError(
            f"{folder} holds no {INFO}: it is not a prepared folder, or its preparation was not "
            "finished; run python -m hvp prepare again, it goes on"
        )
    try:
        content = read_json(path)
        found = content["format"]
        if isinstance(found, int) and found != FORMAT:
            raise UserError(f"{path}: is of format {found}, this version reads {FORMAT}")
        info = TypeAdapter(Info).validate_python(content)
        _check_places(info)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: is damaged ({key}: {first['msg']}); prepare it again") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: is damaged ({error!r:.200}); prepare the data again") from None
    return info


def _check_places(info: Info) -> None:
    """Raises a `ValueError` unless every shard is listed once and its clips fit into its bytes."""
    files = [shard.file for shard in info.shards]
    if len(set(files)) != len(files):
        raise ValueError("a file is listed twice")
    frame = math.prod(info.options.frame_shape)
    for shard in info.shards:
        end = 0
        for clip in shard.clips:
            if clip.offset < end:
                raise ValueError(f"clips of {shard.file} overlap")
            end = clip.offset + clip.length * frame + RECORD_END
        if end > shard.bytes:
            raise ValueError(f"{shard.file} is too small for its clips")


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        OSError, ValueError: if it cannot be read, is too large, or no JSON.
    """
    if path.stat().st_size > MAX_INFO_BYTES:
        raise ValueError(f"more than {MAX_INFO_BYTES} bytes")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file, which appears only once it is complete."""
    text = json.dumps(content, indent=1)
    if len(text) > MAX_INFO_BYTES:
        text = json.dumps(content, separators=(",", ":"))
    with replacing(path, alone=True) as partial:
        partial.write_text(text, encoding="utf-8")


def shard_problem(folder: Path, shard: Shard) -> str | None:
    """What a shard's file is, other than `info.json` says; `None` where it is as it should be."""
    path = folder / shard.file
    try:
        facts = path.stat()
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror or error}"
    if not stat.S_ISREG(facts.st_mode):
        return f"{path}: is no file"
    if facts.st_size != shard.bytes:
        return f"{path}: has {facts.st_size} bytes instead of {shard.bytes}"
    return None
