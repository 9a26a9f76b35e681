"""Human3.6M (Ionescu, Papava, Olaru, Sminchisescu, TPAMI 2014).

Origin: http://vision.imar.ro/human3.6m, after registration, for academic use only; nobody may pass
it on, so that it has to be fetched by hand. 15 actions of 7 subjects before 4 cameras, RGB,
1000x1000 (1000x1002), 50 fps.
Layout of `data.datadir`: `S1/Videos/*.mp4`, as in the archives `Videos_S1.tgz`, ...; or folders of
frames below `S1/`, ...; or folders such as `s_01_act_02_subact_01_ca_01`, as common tools make.
Recordings of several actions (`_ALL*.mp4`) and masks (`MySegmentsMat/`) are left out.
Split: subjects 1, 5, 6, 7, 8 train, 9, 11 test.
Protocol: SDFNet and DFDNet (as OpenSTL) 4 -> 4 at 256x256. OpenSTL takes every fifth frame of 50
(`data.frame_step: 5`, or `prepare --every 5`, after which `data.frame_step` must be 1).
"""

from __future__ import annotations

import re
from pathlib import Path

from hvp.data.data_set import DataSet, Preparation
from hvp.data.stored_videos import Splits, videos_below

SUBJECTS = {"train": (1, 5, 6, 7, 8), "test": (9, 11)}
SUBJECT = re.compile(r"(?:^|/)(?:S(\d{1,2})/|s_(\d\d)_act_)")
CAMERA = re.compile(r"\.\d{8}(?=\.|$)|_ca_\d\d(?=/|$)")
NO_VIDEOS = ("MySegmentsMat", "MyPoseFeatures")


class Human36M(DataSet):
    name = "human36m"
    preparation = Preparation(256, 256, 3)
    protocol = "SDFNet and DFDNet (as OpenSTL) 4 -> 4 at 256x256, every fifth frame"
    advice = (
        "register at http://vision.imar.ro/human3.6m, fetch Videos_S1.tgz (and S5, S6, S7, S8, "
        "S9, S11) and name their folder by --source, or put S1/Videos/*.mp4, ... there; folders "
        "of frames named s_01_act_02_subact_01_ca_01 do too"
    )

    def recording(self, name: str) -> str:
        """What the four cameras saw at once."""
        return CAMERA.sub("", name)

    def find_videos(self, root: Path) -> Splits:
        """Videos and frame folders by the subject that their path names."""
        splits: Splits = {"train": [], "test": []}
        for path in videos_below(root):
            place = path.relative_to(root)
            subject = SUBJECT.search(f"{place.as_posix()}/")
            if subject is None or place.name.startswith("_") or set(place.parts) & set(NO_VIDEOS):
                continue
            for split, subjects in SUBJECTS.items():
                if int(subject[1] or subject[2]) in subjects:
                    splits[split].append(path)
        return splits
