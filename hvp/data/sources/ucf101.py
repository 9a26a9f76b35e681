"""UCF-101 (Soomro, Zamir, Shah, CRCV-TR-12-01, 2012).

Origin: https://www.crcv.ucf.edu/data/UCF101.php: 13320 clips of 101 actions cut from YouTube, RGB,
320x240, 25 or 29.97 fps, 29 to 1776 frames, in UCF101.rar; the split lists in
UCF101TrainTestSplits-RecognitionTask.zip. No licence is stated. A .rar file has to be unpacked by
hand (`unrar x UCF101.rar`).
Layout of `data.datadir`: `v_ACTION_gNN_cNN.avi` (or folders of frames of such names) at any depth,
and `trainlist01.txt` and `testlist01.txt` if they are at hand.
Split: the official list of the lowest number that is there. Without lists, as in the first one:
groups 1 to 7 of each action are for testing. The lists agree with this (13320 = 9537 + 3783).
Protocol: motion GAN, 16 frames of 256x256, the centre of the picture, every frame (every n-th:
`data.frame_step`, or `prepare --every`), trained on the train and test lists
(`data.division: train_and_test`), one clip a video and epoch (`data.clips_per_video: one`); its
FVD's real clips are of both lists as well.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from hvp.data.data_set import DataSet, Preparation
from hvp.data.stored_videos import Splits, videos_below
from hvp.errors import UserError
from hvp.files import require_regular

CLIP = re.compile(r"v_[a-z]+_g(\d\d)_c\d\d", re.IGNORECASE)
RECORDING = re.compile(r"v_[a-z]+_g\d\d(?=_c\d\d)", re.IGNORECASE)
TEST_GROUPS = range(1, 8)


def _train_and_test(name: str, own: str) -> tuple[str, ...]:
    """All clips are for training; those of the test list are for testing, too."""
    return ("train", "test") if own == "test" else ("train",)


class UCF101(DataSet):
    name = "ucf101"
    divisions: ClassVar = {"train_and_test": _train_and_test}
    preparation = Preparation(256, 256, 3, crop="center")
    protocol = "motion GAN, 16 frames of 256x256, the centre of the picture, trained on both splits"
    advice = (
        "fetch https://www.crcv.ucf.edu/data/UCF101/UCF101.rar and "
        "https://www.crcv.ucf.edu/data/UCF101/UCF101TrainTestSplits-RecognitionTask.zip by hand, "
        "unpack both (unrar x UCF101.rar) and name their folder"
    )

    def recording(self, name: str) -> str:
        """The group: clips of one were cut from the same video."""
        clip = RECORDING.search(name)
        return clip[0].lower() if clip else name

    def find_videos(self, root: Path) -> Splits:
        """Clips by the official lists, or by their group where there are no lists."""
        found = {p: m for p in videos_below(root) if (m := CLIP.match(p.name))}
        clips = {m[0].lower(): p for p, m in found.items()}
        listed = {split: _listed(root, split) for split in ("train", "test")}
        if all(listed.values()):
            return {s: [p for name, p in clips.items() if name in listed[s]] for s in listed}
        test = {m[0].lower() for m in found.values() if int(m[1]) in TEST_GROUPS}
        return {
            "train": [path for name, path in clips.items() if name not in test],
            "test": [path for name, path in clips.items() if name in test],
        }


def _listed(root: Path, split: str) -> set[str]:
    """Names of the clips in the list of the lowest number; none if there is no list."""
    files = sorted(root.rglob(f"{split}list0?.txt"), key=lambda path: path.name)
    if not files:
        return set()
    require_regular(files[0])
    try:
        lines = files[0].read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{files[0]}: cannot be read as a split list: {error}") from error
    # ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1
    names = {Path(line.split()[0]).stem.lower() for line in lines if line.strip()}
    if not any(CLIP.fullmatch(name) for name in names):
        raise UserError(f"{files[0]}: lists no clips; is it the official {files[0].name}?")
    return names
