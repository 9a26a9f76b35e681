"""DAVIS, Densely Annotated Video Segmentation (Perazzi et al., CVPR 2016; Pont-Tuset et al., 2017).

Origin: https://davischallenge.org, the archives of 480p. 2016: 50 sequences, one mask of the
foreground a frame; 2017: 90 sequences with masks of every object in `train` and `val`. Its terms
ask for citation of both papers; look there for the licence of your release.
Layout of `data.datadir`: `JPEGImages/480p/SEQUENCE/*.jpg`, `Annotations/480p/SEQUENCE/*.png` (read
with `data.masks: true` only), `ImageSets/`.
Split: ImageSets' train.txt and val.txt (`val` and `test` both), of 2017, else 480p or 2016;
sequences that are not listed are not used. Without ImageSets, every tenth sequence is for testing.
Protocol: step-by-step synthesis network, 16 -> 32.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import numpy as np

from hvp.config import DataConfig
from hvp.data.data_set import DataSet, Preparation
from hvp.data.downloads import Download
from hvp.data.frame_cache import decode_all
from hvp.data.masks import check_masks, read_masks
from hvp.data.stored_videos import Splits, VideoFiles, require_folder, videos_in
from hvp.errors import UserError

URL = "https://data.vision.ee.ethz.ch/csergi/share/davis/DAVIS-2017-trainval-480p.zip"
FRAMES, MASKS, LISTS = "JPEGImages/480p", "Annotations/480p", "ImageSets"
RELEASES = ("2017", "480p", "2016", ".")  # folders of LISTS; 480p is what 2016's own archive has
EVERY = 10
ADVICE = (
    "it should hold JPEGImages/480p/, Annotations/480p/ and ImageSets/ of DAVIS, the 480p archive "
    "of https://davischallenge.org/davis2017/code.html"
)


class DAVIS(DataSet):
    name = "davis"
    preparation = Preparation(480, 640, 3)
    protocol = "step-by-step synthesis network, 16 -> 32"
    downloads = (Download(URL),)
    masks = True
    advice = ADVICE

    def find_videos(self, root: Path) -> Splits:
        """The sequences of both splits, without their masks: what `prepare` makes clips of."""
        paths = videos_in(root / FRAMES)
        return {
            split: _of_split(root, paths, listed) if paths else []
            for split, listed in (("train", "train"), ("test", "val"))
        }

    def open(self, config: DataConfig, split: str, seq_len: int, seed: int) -> VideoFiles:
        """Opens a split, with its masks under `data.masks`."""
        root = require_folder(config, ADVICE)
        paths = videos_in(root / FRAMES)
        if not paths:
            raise UserError(f"data.datadir: {root / FRAMES} holds no sequences: {ADVICE}")
        paths = _of_split(root, paths, "train" if split == "train" else "val")
        if config.masks:
            return MaskedVideoFiles(paths, config, seq_len, root)
        return VideoFiles(paths, config, seq_len, root)


def _of_split(root: Path, paths: list[Path], split: str) -> list[Path]:
    if not (root / LISTS).is_dir():
        if len(paths) < 2:
            raise UserError(
                f"{root}: holds one sequence, {paths[0].name}, and nothing that says whether it is "
                f"for training or for testing; list it in {LISTS}/2017/train.txt and val.txt, or "
                "add sequences"
            )
        test = set(paths[EVERY - 1 :: EVERY] or paths[-1:])
        return [path for path in paths if (path in test) == (split == "val")]
    candidates = [root / LISTS / release / f"{split}.txt" for release in RELEASES]
    file = next((path for path in candidates if path.is_file()), None)
    if file is None:
        raise UserError(f"{root / LISTS}: holds no {split}.txt of 2017 or 2016: {ADVICE}")
    names = _listed(file)
    known = {path.name: path for path in paths}
    missing = [name for name in names if name not in known]
    if missing:
        raise UserError(
            f"{file}: {len(missing)} of its {len(names)} sequences are not in {root / FRAMES}, "
            f"the first is {missing[0]!r}"
        )
    return [known[name] for name in names]


def _listed(file: Path) -> list[str]:
    """Names of sequences, in order: one a line (2017), or the paths of all frames (2016)."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read as a list of sequences: {error}") from error
    entries = [line.split()[0] for line in lines if line.strip()]
    names = [Path(entry).parent.name if "/" in entry else entry for entry in entries]
    if not names:
        raise UserError(f"{file}: lists no sequences")
    return list(dict.fromkeys(names))


class MaskedVideoFiles(VideoFiles):
    """Sequences with a mask beside each frame. Those whose masks do not fit are unusable."""

    def __init__(self, paths: list[Path], config: DataConfig, seq_len: int, root: Path):
        masks = {path: root / MASKS / path.name for path in paths}
        problems = {path: _problem(path, masks[path]) for path in paths}
        fit = [path for path in paths if problems[path] is None]
        labels = dict(
            zip(fit, decode_all([masks[p] for p in fit], config, read_labels), strict=True)
        )
        problems |= {p: str(found) for p, found in labels.items() if isinstance(found, UserError)}
        unfit = [problem for problem in problems.values() if problem]
        if unfit:
            more = f"; and {len(unfit) - 1} more sequences" if len(unfit) > 1 else ""
            if config.unusable_videos == "error" or len(unfit) == len(paths):
                remedies = "--set data.masks=false goes without masks"
                if len(unfit) < len(paths):
                    skip = "--set data.unusable_videos=skip leaves such sequences out"
                    remedies = f"{skip}, {remedies}"
                raise UserError(f"data.masks: {unfit[0]}{more}; {remedies}")
            print(f"left out: {unfit[0]}{more}", file=sys.stderr)
        super().__init__([path for path in paths if not problems[path]], config, seq_len, root)
        self.skipped = [*unfit, *self.skipped]
        self._masks = [
            np.load(cast(Path, labels[root / name]), mmap_mode="r", allow_pickle=False)
            for name in self.names
        ]

    def read_masks(self, video: int, start: int, length: int) -> np.ndarray:
        """Labels of the frames that `read` gives: uint8 `(length, height, width)`."""
        return np.array(self._masks[video][start : start + length])


def read_labels(folder: Path, config: DataConfig) -> np.ndarray:
    """The masks in a folder, in the size of the frames."""
    return read_masks(folder, config.height, config.width)


def _problem(frames: Path, masks: Path) -> str | None:
    """Why a sequence's masks cannot be used, as far as their headers say."""
    try:
        check_masks(frames, masks)
    except UserError as error:
        return str(error)
    return None
