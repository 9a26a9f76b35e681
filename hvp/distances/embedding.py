"""Whose features are compared: I3D's, those of the small network here, or one's own."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hvp.data.array_files import ARRAY_ERRORS
from hvp.distances.protocols import FORMS, MIN_FRAMES
from hvp.errors import UserError
from hvp.files import file_sha256
from hvp.text import one_line

if TYPE_CHECKING:
    import tensorflow as tf

# Fewest frames of a clip; of one's own features it is for them to say.
_MIN_FRAMES = {"i3d": MIN_FRAMES, "small": 4}


class Embedding(Protocol):
    """What turns clips into features.

    Attributes:
        source: where it comes from; decides the name that its numbers go by.
        sha256: file name -> SHA-256 of its files.
        values_sha256: changes whenever its features may.
        description: for the record.
    """

    source: Any
    sha256: dict[str, str]
    values_sha256: str
    description: str

    def embed(self, videos: np.ndarray) -> np.ndarray:
        """uint8 `(batch, time, height, width, channels)` to `(batch, features)`."""


class OwnFeatures:
    """Features of a user's own function; see `Embedding`.

    Args:
        name: what the user called it.
        function: of clips, `(batch, time, height, width, channels)`, float32 in [0, 1], to
            `(batch, features)`.
        sha256: of the files that it is in.
    """

    source = "features"

    def __init__(self, name: str, function: Callable[..., Any], sha256: Mapping[str, str]) -> None:
        self.name, self.sha256, self._function = name, dict(sha256), function
        self.values_sha256 = hashlib.sha256(f"{name}{sorted(sha256.items())}".encode()).hexdigest()
        self.description = f"{name}, of clips in [0, 1] in their own resolution"

    def embed(self, videos: np.ndarray) -> np.ndarray:
        """Features of uint8 clips, `(batch, features)`, float32.

        Raises:
            UserError: if the function fails, or gives anything else.
        """
        frames = np.asarray(videos, np.float32) / np.float32(255)
        try:
            found = np.asarray(self._function(frames), np.float32)
        except Exception as error:  # a user's own code
            raise UserError(
                f"--features {self.name}: failed on clips {frames.shape}: {one_line(error)}"
            ) from error
        if found.ndim != 2 or len(found) != len(frames):
            raise UserError(
                f"--features {self.name}: gave {found.shape} for {len(frames)} clips; it must give "
                "(clips, features)"
            )
        return found


def min_frames(spec: str) -> int:
    """Frames that a clip needs at least, for `load_embedding(spec)`."""
    return _MIN_FRAMES.get(spec, 1)


def check_embedding(spec: str, weights: str | Path | None, asked_by: str = "--weights") -> None:
    """What can be known of `load_embedding` before TensorFlow is imported.

    Args:
        spec, weights: as of `load_embedding`.
        asked_by: the flag or key of `weights`, for messages.

    Raises:
        UserError: for features that are not there.
    """
    if spec == "i3d":
        from hvp.distances.i3d_checkpoint import find_i3d_checkpoint

        find_i3d_checkpoint(weights, asked_by)
    elif spec != "small":
        _kind(spec)


def load_embedding(
    spec: str, weights: str | Path | None = None, devices: tf.distribute.Strategy | None = None
) -> Embedding:
    """The features of a name.

    Args:
        spec: one of `FORMS`. Keras files are read in safe mode, so that they cannot bring code of
            their own; a SavedModel is a program, and a function is: use only those you trust.
        weights: of I3D.
        devices: that I3D runs on, each for some of the clips; one of them by default.

    Raises:
        UserError: for features that are not there or cannot be loaded.
    """
    if spec == "i3d":
        from hvp.distances.i3d import I3D

        if devices is None:
            return I3D(weights)
        with devices.scope():
            network = I3D(weights)
        network.share_out(devices)
        return network
    if spec == "small":
        from hvp.distances.small_network import SmallVideoNetwork

        return SmallVideoNetwork()
    kind = _kind(spec)
    try:
        return OwnFeatures(spec, *_LOADERS[kind](spec))
    except UserError:
        raise
    except Exception as error:  # whatever a file or a module holds
        raise UserError(f"--features {spec}: cannot be loaded: {one_line(error)}") from error


def read_features(path: str | Path) -> np.ndarray:
    """Features that were computed elsewhere: the array `features` of an .npz file.

    Returns:
        `(videos, features)`, float64.

    Raises:
        UserError: if there is none, or it is not finite.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = np.asarray(stored["features"], np.float64)
    except (*ARRAY_ERRORS, AttributeError) as error:
        raise UserError(
            f"{path}: holds no array `features` that can be read ({one_line(error)}); write it by "
            "np.savez(path, features=array) with an array (videos, features)"
        ) from None
    if found.ndim != 2 or len(found) < 2 or not np.isfinite(found).all():
        raise UserError(
            f"{path}: `features` must be finite, (at least two videos, features), found "
            f"{found.shape}"
        )
    return found


def _kind(spec: str) -> str:
    path = Path(spec).expanduser()
    if path.suffix == ".keras" and path.is_file():
        return "keras"
    if (path / "saved_model.pb").is_file():
        return "saved_model"
    module, colon, function = spec.partition(":")
    if colon and all(part.isidentifier() for part in [*module.split("."), function]):
        return "function"
    raise UserError(f"--features {spec}: there is no such thing; valid: {FORMS}")


def _load_keras(spec: str) -> tuple[Callable[..., Any], dict[str, str]]:
    import keras

    path = Path(spec).expanduser()
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    return lambda frames: model(frames, training=False), {path.name: file_sha256(path)}


def _load_saved_model(spec: str) -> tuple[Callable[..., Any], dict[str, str]]:
    import tensorflow as tf

    folder = Path(spec).expanduser()
    model = tf.saved_model.load(str(folder))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {str(path.relative_to(folder)): file_sha256(path) for path in files}
    if callable(model):
        return lambda frames: _only(model(tf.constant(frames))), digests
    signature = model.signatures["serving_default"]
    (argument,) = signature.structured_input_signature[1]

    # `model` as a default: what holds its variables must live as long as the function
    def call(frames: np.ndarray, model: Any = model) -> Any:
        return _only(model.signatures["serving_default"](**{argument: tf.constant(frames)}))

    return call, digests


def _only(outputs: Any) -> Any:
    """A model's one output, whatever it is called."""
    if isinstance(outputs, Mapping):
        (outputs,) = outputs.values()
    return outputs


def _load_function(spec: str) -> tuple[Callable[..., Any], dict[str, str]]:
    name, _, function = spec.partition(":")
    module = importlib.import_module(name)
    file = getattr(module, "__file__", None)
    digests = {Path(file).name: file_sha256(Path(file))} if file else {}
    return getattr(module, function), digests


_LOADERS = {"keras": _load_keras, "saved_model": _load_saved_model, "function": _load_function}
