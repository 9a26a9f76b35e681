"""KTH human actions (Schuldt, Laptev, Caputo, ICPR 2004).

Origin: https://www.csc.kth.se/cvap/actions/, six zip files of 599 grey clips, 160x120, 25 fps: six
actions by 25 persons in four scenarios. Free for research; no licence is stated.
Split: persons 1-20 train, 21-25 test, as the hierarchical model's; `data.division: openstl` has
persons 1-16 and 17-25, as SimVP, OpenSTL and those that follow them.
Layout of `data.datadir`: what `python -m hvp prepare kth` makes of the official files, or your own
`{train,test}/*.avi|mp4`. The picture is squeezed into a square, as in the papers.
Protocols: hierarchical model 36 -> 164 at 64x64 (clips shorter than the evaluation length are left
out); SVG and SRVP 10 -> 30; SimVP, SDFNet and DFDNet 10 -> 20 and 10 -> 40 at 128x128.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from hvp.data.data_set import Clip, DataSet, Division, Listing, Preparation
from hvp.data.downloads import Download
from hvp.data.stored_videos import videos_below
from hvp.errors import UserError
from hvp.files import require_regular

ACTIONS = ("walking", "jogging", "running", "boxing", "handwaving", "handclapping")
TEST_PERSONS = range(21, 26)
PERSON = re.compile(r"(?:^|/)person(\d\d)_", re.IGNORECASE)
CLIP = re.compile(r"(person(\d\d)_[a-z]+_d\d)(_uncomp)?\.(avi|mp4)", re.IGNORECASE)
RANGES = re.compile(r"(person\d\d_[a-z]+_d\d)\s+(?:frames\s+([\d,\s-]+)|\*missing\*)\s*")


def _by_person(last_of_training: int) -> Division:
    """Persons up to this one are for training, the others for testing."""

    def split_of(name: str, own: str) -> tuple[str, ...]:
        person = PERSON.search(name)
        if person is None:
            raise UserError(
                f"data.division: {name} does not begin with the number of its person, as "
                "person01_boxing_d1 does"
            )
        return ("train",) if int(person[1]) <= last_of_training else ("test",)

    return split_of


class KTH(DataSet):
    name = "kth"
    divisions: ClassVar = {"hierarchical": _by_person(20), "openstl": _by_person(16)}
    preparation = Preparation(64, 64, 1)
    protocol = (
        "hierarchical model 36 -> 164 at 64x64; SVG and SRVP 10 -> 30; SimVP, SDFNet and DFDNet "
        "10 -> 20 and 10 -> 40 at 128x128"
    )
    downloads = tuple(Download(f"http://www.csc.kth.se/cvap/actions/{a}.zip") for a in ACTIONS)
    advice = (
        "get the six zip files from https://www.csc.kth.se/cvap/actions/, then run "
        "python -m hvp prepare kth --source FOLDER_OF_ZIPS --out data/kth and pass "
        "--datadir data/kth"
    )

    def find_clips(self, root: Path, listing: Listing | None = None) -> list[Clip]:
        """The official clips at any depth, each name once; cut into the ranges of `listing`."""
        clips: dict[str, Clip] = {}
        for path in videos_below(root):
            match = CLIP.fullmatch(path.name)
            if match is None:
                continue
            name, split = match[1].lower(), "test" if int(match[2]) in TEST_PERSONS else "train"
            parts = None
            if listing is not None:
                if name not in listing:
                    raise UserError(f"{path}: is not listed in --sequences")
                parts = tuple((first - 1, last) for first, last in listing[name])
            clips.setdefault(name, Clip(name, split, path, parts))
        return list(clips.values())

    def recording(self, name: str) -> str:
        """All clips of a person: the data set is divided by persons."""
        person = PERSON.search(name)
        return person[1] if person else name

    def read_listing(self, path: Path) -> Listing:
        """`00sequences.txt`. Clips that it marks as missing have no ranges."""
        return read_sequences(path)


def read_sequences(path: Path) -> dict[str, list[tuple[int, int]]]:
    """Clip name -> frame ranges `(first, last)`, 1-based and inclusive, from `00sequences.txt`.

    Clips that the file marks as missing have no ranges.
    """
    require_regular(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--sequences {path}: cannot be read: {error}") from None
    ranges: dict[str, list[tuple[int, int]]] = {}
    for match in map(RANGES.fullmatch, text.splitlines()):
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
