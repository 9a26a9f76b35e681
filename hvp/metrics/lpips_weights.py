"""Published weights of metric networks: where they are, checked by SHA-256."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from hvp.downloads import retrieve
from hvp.errors import UserError
from hvp.files import cache_folder, file_sha256


class WeightsFile(NamedTuple):
    """One published file."""

    sha256: str
    url: str


_LPIPS_ALEX = (
    "https://raw.githubusercontent.com/Image-X-Institute/lpips_torch2tf/"
    "4b7afc647981a5cc9176c2083b27e353b5794a32/dev_src/parameters/lpips_tf/alex/"
)

_LPIPS_ALEX_SHA256 = {
    "slice_1_base.keras": "373b1848116e38b7917388a76cc5a6eee20d65bfa512def5cce203a6209c1fee",
    "slice_2_base.keras": "87cb459dc6df880d48d8d65b92a691381216afb967df6d4ea9ee2f1d59075c81",
    "slice_3_base.keras": "a8ebb2361236c4308d785cc734cd196275929bed0791053a831c4f2e68a07788",
    "slice_4_base.keras": "4cdf1e1507804ddb05b4c225d37f52e4387d25df2211f37cc4d0228569996a5f",
    "slice_5_base.keras": "261db24f32ed83b4019ee34e75d7895cd59ab22275232ea8ad78fa7556774e10",
    "lin0.keras": "f3cf392dbd3c66d23ce32afc8c4cc27095d2c2537e94d1cfa77b4d0d83709016",
    "lin1.keras": "e8b4662795286c645528cd19e7673aba2db6df9ea7a5ffa91cf494cc91c6660c",
    "lin2.keras": "6bd785f0f4a2e83cb71950d576d5d60f70dd09d6260d99d583e85aab3b547f3a",
    "lin3.keras": "c2d794728ae187d6cdb416584df522b07db5c5ddbaadb4657bf555ae092ad450",
    "lin4.keras": "16e653695b67803dd2b639ff19bd7b1f0b8e508f4dd8a13fcd5f29b42eb2a2d6",
}

# BSD-2-Clause, Copyright (c) 2024 Image X Institute; the trunk is torchvision's (BSD-3-Clause).
WEIGHTS: dict[str, dict[str, WeightsFile]] = {
    "lpips_alex": {
        name: WeightsFile(sha256, _LPIPS_ALEX + name) for name, sha256 in _LPIPS_ALEX_SHA256.items()
    }
}


def weights_folder(name: str, weights_dir: str | Path | None = None) -> Path:
    """The folder with all files of the weights `name`, each checked by SHA-256.

    Looked for in `weights_dir`; where that is `None`, in the folder that the environment variable
    HVP_WEIGHTS_DIR names; where that is unset, in `weights/NAME` of the cache folder, into which
    missing files are downloaded. A given folder may be the one with the files or its parent.

    Args:
        name: a key of `WEIGHTS`, such as `lpips_alex`.
        weights_dir: a folder that must hold the files; nothing is downloaded then.

    Raises:
        UserError: if a given folder lacks a file or holds another one under its name, or if a
            download fails.
    """
    given, origin = weights_dir, "--weights-dir"
    if given is None and os.environ.get("HVP_WEIGHTS_DIR"):
        given, origin = os.environ["HVP_WEIGHTS_DIR"], "HVP_WEIGHTS_DIR"
    if given is None:
        return _downloaded(name)
    given = Path(given).expanduser()
    folder = given / name if (given / name).is_dir() else given
    for file, published in WEIGHTS[name].items():
        if not (folder / file).is_file():
            raise UserError(
                f"{origin} {given}: {file} of {name} is missing there; download it from "
                f"{published.url}"
            )
        if file_sha256(folder / file) != published.sha256:
            raise UserError(
                f"{origin} {given}: {folder / file} is not the published file (its SHA-256 "
                f"differs); download it again from {published.url}"
            )
    return folder


def weights_at_hand(name: str) -> bool:
    """Whether the files of the weights `name` lie where `weights_folder` looks, unverified."""
    given = os.environ.get("HVP_WEIGHTS_DIR")
    folder = Path(given).expanduser() if given else cache_folder("weights")
    places = (folder, folder / name)
    return any(all((place / file).is_file() for file in WEIGHTS[name]) for place in places)


def weights_sha256(name: str) -> dict[str, str]:
    """File name -> SHA-256 of the weights `name`, for reports."""
    return {file: published.sha256 for file, published in WEIGHTS[name].items()}


def _downloaded(name: str) -> Path:
    folder = cache_folder("weights") / name
    files = ", ".join(WEIGHTS[name])
    by_hand = f"name the folder that holds {files} by --weights-dir or HVP_WEIGHTS_DIR"
    for file, published in WEIGHTS[name].items():
        try:
            retrieve(published.url, published.sha256, folder, file, by_hand)
        except UserError as error:
            if isinstance(error.__cause__, PermissionError):
                choose = "choose another with HVP_CACHE_DIR"
                raise UserError(f"cannot write to {folder}: {choose}") from error
            raise
    return folder
