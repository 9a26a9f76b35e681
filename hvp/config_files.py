"""Where configuration files are: a path, or the name of one that comes with the package."""

from __future__ import annotations

from os.path import isfile  # which takes a name that no file can have, too
from pathlib import Path

from hvp.errors import UserError
from hvp.text import nearest

_PACKAGE = Path(__file__).resolve().parent


def packaged_configs() -> Path:
    """The folder of the configurations that come with hvp.

    A wheel carries them within the package; a checkout has them beside it.
    """
    inside = _PACKAGE / "configs"
    return inside if inside.is_dir() else _PACKAGE.parent / "configs"


def find_config(path: str | Path, relative_to: str | Path = ".", below: str = "") -> Path:
    """The file that `--config PATH` or `base: PATH` means.

    Args:
        path: a file; or, without folder and suffix, the name of a packaged configuration (`kth`).
            `configs/kth.yml` is the packaged one too where there is no such file.
        relative_to: the folder that a relative path starts from.
        below: a folder of the packaged ones, such as `ablations`.

    Returns:
        The path. It may not exist: the reader then says so.

    Raises:
        UserError: for a bare name that neither a file nor a packaged configuration has.
    """
    path = Path(path)
    file = Path(relative_to) / path
    if isfile(file) or path.is_absolute():
        return file
    packaged = packaged_configs() / below
    if path.parent == Path("configs", below) and isfile(packaged / path.name):
        return packaged / path.name
    if path.suffix or path.parent != Path("."):
        return file
    if isfile(packaged / f"{path}.yml"):
        return packaged / f"{path}.yml"
    names = sorted(file.stem for file in packaged.glob("*.yml"))
    raise UserError(f"{path}: no such configuration file{nearest(str(path), names)}")
