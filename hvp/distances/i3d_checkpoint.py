"""The published checkpoints of the I3D network, which the Fréchet video distance is made with.

Both are TensorFlow checkpoints with the same variable names and different values:

- the TensorFlow Hub module `deepmind/i3d-kinetics-400/1`, a folder with `variables/`, which the
  literature's FVD uses;
- `rgb_imagenet` of the repository kinetics-i3d, `model.ckpt.index` and `.data-00000-of-00001`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from hvp.errors import UserError
from hvp.files import file_sha256

ENVIRONMENT_VARIABLE = "HVP_I3D_WEIGHTS"
NAME_PREFIX = "RGB/inception_i3d/"
HUB_URL = "https://tfhub.dev/deepmind/i3d-kinetics-400/1"
RGB_IMAGENET_URL = (
    "https://raw.githubusercontent.com/google-deepmind/kinetics-i3d/"
    "0667e889a5904b4dc122e0ded4c332f49f8df42c/data/checkpoints/rgb_imagenet/"
)
# The index holds a checksum of every variable, which reading verifies: it vouches for the values.
RGB_IMAGENET_INDEX_SHA256 = "f4bfd6f4af485f276c68333d3eca3697b691bb647f0167a03fe021147ca7f8eb"
# A module of Hub's own format has the first file; one that was exported again has not.
_HUB_FILES = ("tfhub_module.pb", "saved_model.pb")
_ADVICE = (
    f"download the TensorFlow Hub module {HUB_URL} (?tf-hub-format=compressed gives an archive) "
    "and unpack it, or model.ckpt.index and model.ckpt.data-00000-of-00001 from "
    f"{RGB_IMAGENET_URL}, and name the folder by {{how}} or {ENVIRONMENT_VARIABLE}"
)

Source = Literal["hub", "rgb_imagenet", "other"]


@dataclasses.dataclass(frozen=True)
class I3DCheckpoint:
    """A checkpoint that is there.

    Attributes:
        prefix: the path without `.index`, as TensorFlow reads it.
        source: `hub` (plain FVD), `rgb_imagenet`, or `other`.
    """

    prefix: Path
    source: Source

    def read(self) -> dict[str, np.ndarray]:
        """Original variable name -> float32 array, for the RGB network.

        Raises:
            UserError: if the checkpoint is damaged or holds another network.
        """
        import tensorflow as tf

        try:
            reader = tf.train.load_checkpoint(str(self.prefix))
            names = [n for n in reader.get_variable_to_shape_map() if n.startswith(NAME_PREFIX)]
            weights = {name: reader.get_tensor(name) for name in names}
        except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:
            reason = " ".join(str(getattr(error, "message", error)).split())[:200]
            raise UserError(f"{self.prefix}: cannot be read as a checkpoint: {reason}") from None
        if not weights:
            raise UserError(
                f"{self.prefix}: holds no variable {NAME_PREFIX}..., so it is not the RGB network "
                f"of I3D; {_ADVICE.format(how='--weights')}"
            )
        return weights

    def file_sha256(self) -> dict[str, str]:
        """File name -> SHA-256 of the checkpoint's files."""
        files = sorted(self.prefix.parent.glob(f"{self.prefix.name}.*"))
        kinds = (f"{self.prefix.name}.index", f"{self.prefix.name}.data-")
        return {f.name: file_sha256(f) for f in files if f.name.startswith(kinds)}


def find_i3d_checkpoint(given: str | Path | None = None, how: str = "--weights") -> I3DCheckpoint:
    """Looks for the checkpoint without reading its values.

    Args:
        given: the prefix of a checkpoint, the folder that holds one, or the folder of a Hub module;
            `None` takes what the environment variable HVP_I3D_WEIGHTS names.
        how: what names it, an option or a key of the configuration, for messages.

    Raises:
        UserError: if nothing is named, or the index or data file is missing; one line that says
            which file, where it comes from and how to pass it.
    """
    origin = how
    if given is None:
        given, origin = os.environ.get(ENVIRONMENT_VARIABLE) or None, ENVIRONMENT_VARIABLE
    if given is None:
        raise UserError(f"FVD needs the weights of I3D: {_ADVICE.format(how=how)}")
    path = Path(given).expanduser()
    prefix = _prefix(path)
    if prefix is None:
        there = "holds no checkpoint of I3D" if path.is_dir() else "is not there"
        raise UserError(f"{origin} {path}: {there}; {_ADVICE.format(how=how)}")
    if not list(prefix.parent.glob(f"{prefix.name}.data-?????-of-?????")):
        raise UserError(
            f"{origin} {path}: {prefix.name}.data-00000-of-00001, the file with the values, is "
            f"missing in {prefix.parent}; {_ADVICE.format(how=how)}"
        )
    return I3DCheckpoint(prefix, _source(prefix))


def values_sha256(weights: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of all values, whatever files they came in: float32, by sorted name."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name], np.float32)
        digest.update(f"{name}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _prefix(path: Path) -> Path | None:
    """The checkpoint's prefix at or below `path`; `None` without an index file."""
    if path.is_dir():
        for folder in (path / "variables", path):
            indices = sorted(folder.glob("*.index"))
            if len(indices) == 1:
                return indices[0].with_suffix("")
        return None
    for suffix in (".index", ".data-00000-of-00001"):  # one of the files instead of the prefix
        path = path.with_name(path.name.removesuffix(suffix))
    return path if path.with_name(f"{path.name}.index").is_file() else None


def _source(prefix: Path) -> Source:
    if file_sha256(prefix.with_name(f"{prefix.name}.index")) == RGB_IMAGENET_INDEX_SHA256:
        return "rgb_imagenet"
    module = prefix.parent.parent
    is_hub = prefix.parent.name == "variables" and all((module / f).is_file() for f in _HUB_FILES)
    return "hub" if is_hub else "other"
