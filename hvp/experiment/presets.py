"""Trained models by name: those that come with hvp, shared folders, and the Hugging Face Hub.

Importing this module imports neither TensorFlow nor the configuration.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvp.errors import UserError
from hvp.files import cache_folder
from hvp.text import nearest

if TYPE_CHECKING:
    from hvp.models.base import VideoModel

HUB = "hf://"
NEEDED = ("config.yml", "weights.npz", "preset.json")
_PACKAGED = Path(__file__).resolve().parents[1] / "preset_weights"


def presets() -> dict[str, str]:
    """The trained models that come with hvp: name -> what it is, in a line.

    Example:
        >>> hvp.presets()["hierarchical/moving-digits"]
    """
    return {
        path.parent.relative_to(_PACKAGED).as_posix(): json.loads(path.read_text("utf-8"))["title"]
        for path in sorted(_PACKAGED.glob("*/*/preset.json"))
    }


def from_preset(name: str | Path) -> VideoModel:
    """A trained model.

    Args:
        name: of `hvp.presets()`; or a folder that `hvp share` wrote, or of a run; or
            `hf://user/repo`, on the Hugging Face Hub, with `@revision` after it where wanted.

    Returns:
        The model, built and with its weights. `hvp.load_experiment` of the same name gives its
        configuration too.

    Raises:
        UserError: if there is none such, or it cannot be read.

    Example:
        >>> model = hvp.from_preset("hierarchical/moving-digits")
        >>> model.rollout(context, horizon=16, num_samples=3)
    """
    # Before TensorFlow, as commands do: pydantic looks for its classes among all modules there are.
    import hvp.config  # noqa: F401
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.experiment.checkpoints import load_experiment

    return load_experiment(find_preset(name))[1]


def is_preset(name: str | Path) -> bool:
    """Whether `name` is that of a model that comes with hvp or lies on the Hub."""
    return str(name).startswith(HUB) or (str(name) in presets() and not Path(name).exists())


def find_preset(name: str | Path) -> Path:
    """The folder of a preset, fetched from the Hub if it is there.

    Raises:
        UserError: if there is none such.
    """
    text = str(name)
    if text.startswith(HUB):
        return _fetch(text)
    if text in presets():
        return _PACKAGED / text
    folder = Path(name)
    if folder.is_dir():
        return folder
    raise UserError(f"no preset {text!r} and no folder{nearest(text, presets())}")


def results_folder(folder: Path) -> Path:
    """Where commands write what they make of a model: its run's folder, if it has one of its own.

    What came with hvp or from the Hub is not written into, but to `logs/NAME` here.
    """
    folder = folder.resolve()
    if folder.is_relative_to(_PACKAGED):
        return Path("logs") / "-".join(folder.relative_to(_PACKAGED).parts)
    if "snapshots" in folder.parts and folder.parent.parent.name.startswith("models--"):
        return Path("logs") / folder.parent.parent.name.removeprefix("models--").replace("--", "-")
    return folder


def hub_name(address: str) -> tuple[str, str | None]:
    """`user/repo` and the revision, if one is named, of `hf://user/repo@revision`.

    Raises:
        UserError: for an address of another form.
    """
    repo, _, revision = address.removeprefix(HUB).partition("@")
    if repo.count("/") != 1 or not all(repo.split("/")):
        raise UserError(f"{address}: is no model on the Hub; expected hf://user/repo")
    return repo, revision or None


def import_hub() -> Any:
    """The optional package `huggingface_hub`.

    Raises:
        UserError: if it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError:
        raise UserError(
            "hf:// needs the package huggingface_hub: pip install huggingface_hub; or fetch the "
            "folder yourself and name it"
        ) from None
    return huggingface_hub


def upload(folder: Path, address: str) -> None:
    """Puts a folder that `hvp share` wrote on the Hub, at `hf://user/repo`, made if need be.

    Raises:
        UserError: if the Hub refuses or cannot be reached.
    """
    repo, revision = hub_name(address)
    hub = import_hub()
    try:
        hub.create_repo(repo, exist_ok=True)
        hub.upload_folder(repo_id=repo, folder_path=folder, revision=revision)
    except Exception as error:  # as in `_fetch`
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{address}: cannot be written ({reason}); log in with hf auth") from error


def _fetch(address: str) -> Path:
    repo, revision = hub_name(address)
    hub = import_hub()
    try:
        folder = hub.snapshot_download(
            repo,
            revision=revision,
            allow_patterns=list(NEEDED),
            cache_dir=cache_folder("huggingface"),
        )
    except Exception as error:  # the Hub's, the network's and the disk's, of many classes
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{address}: cannot be fetched ({reason}); or fetch the folder yourself and name it"
        ) from error
    return Path(folder)
