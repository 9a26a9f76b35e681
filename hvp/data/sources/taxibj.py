"""TaxiBJ: taxis in Beijing, how many enter and leave each cell (Zhang, Zheng, Qi, AAAI 2017).

Origin: the four files `BJ13_M32x32_T30_InOut.h5` to `BJ16_...` of ST-ResNet's authors,
https://1drv.ms/f/s!Akh6N7xv3uVmhOhDKwx3bm5zpHkDOQ, to be fetched by hand. No licence is stated; its
authors ask for citation. 32x32 cells, a frame every 30 minutes (48 a day), 22459 frames
with gaps, two flows: in, out.
Layout of `data.datadir`: the .h5 files, each with `data` (time, 2, 32, 32) and `date` (time,),
texts such as `2013070148` for the last half hour of a day.
Split: the last four weeks are for testing, as in ST-ResNet. Days that lack frames are left out; a
clip is a run of whole days.
Frames: flows are divided by 1292, the largest, and kept in 256 steps of 5 taxis. Inflow is red,
outflow green, blue is empty, so `data.channels` must be 3. MSE and MAE summed over a frame then are
those of the two flows; means over channels are two thirds of theirs.
Protocol: SimVP and its successors 4 -> 4 at 32x32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hvp.config import DataConfig
from hvp.data.array_files import ARRAY_ERRORS, hdf5_items
from hvp.data.data_set import Clip, DataSet, Listing, Preparation
from hvp.data.stored_videos import fit_frames, of_split, require_folder
from hvp.data.unusable import report_skipped, too_short
from hvp.errors import UserError
from hvp.files import require_regular
from hvp.pixels import to_uint8

PATTERN = "BJ*_InOut.h5"
LARGEST_FLOW = 1292
FRAMES_A_DAY = 48
TEST_DAYS = 28


class TaxiBJ(DataSet):
    name = "taxibj"
    preparation = Preparation(32, 32, 3)
    protocol = "SimVP and its successors 4 -> 4 at 32x32"
    advice = (
        "fetch BJ13_M32x32_T30_InOut.h5 to BJ16_M32x32_T30_InOut.h5 by hand from "
        "https://1drv.ms/f/s!Akh6N7xv3uVmhOhDKwx3bm5zpHkDOQ and name their folder"
    )

    def find_clips(self, root: Path, listing: Listing | None = None) -> list[Clip]:
        """Runs of whole days, the last four weeks for testing."""
        runs = [
            (path, dates, frames)
            for path in sorted(root.rglob(PATTERN))
            for dates, frames in _runs(path)
        ]
        test_day = ""
        if runs:
            days = sorted({date for _, dates, _ in runs for date in dates})
            test_day = days[-TEST_DAYS] if len(days) > TEST_DAYS else days[-1]
        clips = []
        for path, dates, frames in runs:
            first_test = sum(date < test_day for date in dates) * FRAMES_A_DAY
            for split, part in (("train", frames[:first_test]), ("test", frames[first_test:])):
                if len(part):
                    first = dates[0 if split == "train" else first_test // FRAMES_A_DAY]
                    name = f"{path.name[:4]}-{first}"
                    clips.append(Clip(name, split, path, read=_reader(part)))
        return clips

    def open(self, config: DataConfig, split: str, seq_len: int, seed: int) -> TaxiFlows:
        """Opens a split, in memory."""
        root = require_folder(config, self.advice)
        splits: dict[str, list[Clip]] = {}
        for clip in self.find_clips(root):
            splits.setdefault(clip.split, []).append(clip)
        clips = of_split(splits, split)
        if not clips:
            raise UserError(
                f"data.datadir: {root} holds no days for the {split} split: {self.advice}"
            )
        return TaxiFlows(clips, config, seq_len, root)


def _reader(frames: np.ndarray) -> Any:
    def read(path: Path, config: DataConfig) -> np.ndarray:
        if config.channels != 3:
            raise UserError(f"{path}: holds two flows, read as red and green; channels must be 3")
        return fit_frames(frames, config)

    return read


def _runs(path: Path) -> list[tuple[list[str], np.ndarray]]:
    """Days `YYYYMMDD` and uint8 frames `(time, 32, 32, 3)` of every run of whole days."""
    import h5py

    try:
        require_regular(path)
        with h5py.File(path, "r") as file:
            for _ in hdf5_items(file):  # all of it is in this file
                pass
            flows, stamps = file["data"][:], [bytes(stamp).decode() for stamp in file["date"][:]]
    except ARRAY_ERRORS as error:
        raise UserError(f"{path}: cannot be read as a file of TaxiBJ: {error}") from error
    if flows.ndim != 4 or flows.shape[1] != 2 or len(flows) != len(stamps):
        raise UserError(f"{path}: 'data' has shape {flows.shape}; expected (time, 2, 32, 32)")
    levels = to_uint8(flows / LARGEST_FLOW)
    frames = np.zeros((len(levels), *levels.shape[2:], 3), np.uint8)
    frames[..., :2] = np.moveaxis(levels, 1, -1)
    wanted = [f"{slot:02}" for slot in range(1, FRAMES_A_DAY + 1)]
    days: dict[str, list[int]] = {}
    for place, stamp in enumerate(stamps):
        days.setdefault(stamp[:8], []).append(place)
    runs: list[tuple[list[str], list[int]]] = []
    for day, places in sorted(days.items()):
        if [stamps[place][8:] for place in places] != wanted:
            continue
        follows = runs and np.datetime64(_iso(day)) - np.datetime64(_iso(runs[-1][0][-1])) == 1
        if not follows:
            runs.append(([], []))
        runs[-1][0].append(day)
        runs[-1][1].extend(places)
    return [(dates, frames[places]) for dates, places in runs]


def _iso(day: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:8]}"


class TaxiFlows:
    """One split, in memory (70 MB at most). See `FrameSource`."""

    def __init__(self, clips: list[Clip], config: DataConfig, seq_len: int, root: Path):
        self.names: list[str] = []
        self.lengths: list[int] = []
        self.skipped: list[str] = []
        short: list[int] = []
        self._frames: list[np.ndarray] = []
        for clip in clips:
            assert clip.read is not None  # as `find_clips` makes them
            frames = clip.read(clip.path, config)[: config.max_video_len]
            if len(frames) < seq_len:
                self.skipped.append(too_short(clip.name, len(frames), seq_len))
                short.append(len(frames) // config.frame_step)
                continue
            self.names.append(clip.name)
            self.lengths.append(len(frames))
            self._frames.append(frames)
        report_skipped(self, len(clips), config.unusable_videos, root, short)

    def read(self, video: int, start: int, length: int, epoch: int = 0) -> np.ndarray:
        return self._frames[video][start : start + length]
