"""What `python -m hvp prepare` made, of any data set.

Layout of `data.datadir`: `info.json` and its TFRecord shards; see `hvp.data.records`. Any
`data.dataset` reads its own prepared folder; `prepared` reads that of whichever.
Frames are read from the shards as they are needed, window by window: memory does not grow with the
data set, and workers that share a training job each read other windows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hvp.config import DataConfig
from hvp.data.data_set import DataSet
from hvp.data.prepared_folder import Info, read_info, shard_problem
from hvp.data.records import AGAIN, CheckedShard
from hvp.data.stored_videos import fit_frames, of_split, require_folder
from hvp.data.unusable import report_skipped, too_short
from hvp.errors import UserError

ADVICE = "make it by python -m hvp prepare DATASET --out FOLDER"


class Prepared(DataSet):
    name = "prepared"
    advice = ADVICE

    def open(self, config: DataConfig, split: str, seq_len: int, seed: int) -> PreparedClips:
        """Opens a split of what was made of any data set, divided as that data set is."""
        return PreparedClips(config, split, seq_len)


class PreparedClips:
    """One split of a prepared folder. See `FrameSource`."""

    def __init__(self, config: DataConfig, split: str, seq_len: int):
        folder = require_folder(config, ADVICE)
        info = read_info(folder)
        _check_options(folder, info, config)
        splits = {str(name): shards for name, shards in info.splits.items()}
        shards = of_split(splits, split, _tests_on_training(info.dataset))
        if not shards:
            raise UserError(f"data.datadir: {folder} holds no clips of the {split} split")
        for shard in shards:
            problem = shard_problem(folder, shard)
            if problem:
                raise UserError(f"{problem}; {AGAIN}")
        self._config = config
        self._clips: list[tuple[CheckedShard, int]] = []
        self.names, self.lengths, self.skipped = [], [], []
        short: list[int] = []
        for shard in shards:
            checked = CheckedShard(folder, shard, info.options.frame_shape)
            for number, clip in enumerate(shard.clips):
                length = min(clip.length, config.max_video_len or clip.length)
                if length < seq_len:
                    self.skipped.append(too_short(clip.name, length, seq_len))
                    short.append(length // config.frame_step)
                    continue
                self.names.append(clip.name)
                self.lengths.append(length)
                self._clips.append((checked, number))
        report_skipped(
            self, len(self.names) + len(self.skipped), config.unusable_videos, folder, short
        )

    def read(self, video: int, start: int, length: int, epoch: int = 0) -> np.ndarray:
        shard, number = self._clips[video]
        return fit_frames(shard.read(number, start, length), self._config)


def _check_options(folder: Path, info: Info, config: DataConfig) -> None:
    """Refuses what would silently differ from what the configuration asks for."""
    options = info.options
    if config.dataset not in (info.dataset, "prepared"):
        raise UserError(
            f"data.datadir: {folder} was prepared from {info.dataset}, but data.dataset is "
            f"{config.dataset}"
        )
    if options.height < config.height or options.width < config.width:
        raise UserError(
            f"data.datadir: {folder} was prepared at {options.height}x{options.width}, "
            f"smaller than data.height x data.width, {config.height}x{config.width}: prepare it "
            "again with --size"
        )
    if options.every > 1 and config.frame_step > 1:
        raise UserError(
            f"data.datadir: {folder} was prepared with --every {options.every}, and "
            f"data.frame_step is {config.frame_step}: frames would be left out twice; set it to 1"
        )
    if config.crop == "center" and options.crop != "center":
        raise UserError(
            f"data.datadir: {folder} was prepared with --crop none; data.crop is center"
        )


def _tests_on_training(name: str) -> bool:
    from hvp.data.sources import data_set

    try:
        return data_set(name).tests_on_training
    except UserError:  # of a package that is no longer there; its clips still are
        return False
