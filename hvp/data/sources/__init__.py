"""Data sets by name, one file each, and how one is opened.

A new one is a file here with a subclass of `hvp.data.data_set.DataSet`, and a line in `DATA_SETS`;
or anywhere else, with `hvp.register_dataset` or an entry point of the group `hvp.datasets`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from hvp.errors import UserError
from hvp.registry import Registry

if TYPE_CHECKING:  # so that the names alone cost nothing: `hvp prepare --help` lists them
    from hvp.config import DataConfig
    from hvp.data.data_set import DataSet, Division
    from hvp.data.frame_source import FrameSource

DATA_SETS = Registry(
    "data set",
    {
        "moving_mnist": "hvp.data.sources.moving_mnist:MovingMNIST",
        "kth": "hvp.data.sources.kth:KTH",
        "mazes": "hvp.data.sources.mazes:Mazes",
        "folder": "hvp.data.sources.folder:Folder",
        "frame_folders": "hvp.data.sources.frame_folders:FrameFolders",
        "prepared": "hvp.data.sources.prepared:Prepared",
        "human36m": "hvp.data.sources.human36m:Human36M",
        "sjtu4k": "hvp.data.sources.sjtu4k:SJTU4K",
        "taxibj": "hvp.data.sources.taxibj:TaxiBJ",
        "minerl": "hvp.data.sources.minerl:MineRL",
        "ucf101": "hvp.data.sources.ucf101:UCF101",
        "sky": "hvp.data.sources.sky:Sky",
        "bair": "hvp.data.sources.bair:BAIR",
        "cityscapes": "hvp.data.sources.cityscapes:Cityscapes",
        "davis": "hvp.data.sources.davis:DAVIS",
        "moving_shapes": "hvp.data.sources.moving_shapes:MovingShapes",
        "forking_shapes": "hvp.data.sources.forking_shapes:ForkingShapes",
        "stochastic_moving_mnist": (
            "hvp.data.sources.stochastic_moving_mnist:StochasticMovingMNIST"
        ),
    },
    group="hvp.datasets",
)
PREPARED = "prepared"
SPLITS = ("train", "val", "test")
DataSetClass = TypeVar("DataSetClass", bound="type[DataSet]")


def register_dataset(data_set: DataSetClass) -> DataSetClass:
    """Adds a data set for this process, under its `name`; also as a decorator of the class.

    An installed package adds one for all processes, the command lines too, by an entry point of the
    group `hvp.datasets`: `NAME = "module:Class"`.

    Raises:
        UserError: if the name is taken, or the class lacks a field.

    Example:
        >>> @hvp.register_dataset
        ... class Clocks(hvp.data.DataSet):
        ...     name, advice = "clocks", "it should hold train/ and test/ with videos of clocks"
    """
    _check_class(data_set, "register_dataset")
    DATA_SETS.register(data_set.name, data_set)
    return data_set


def data_set(name: str, asked_by: str = "data.dataset") -> DataSet:
    """The data set of a name.

    Args:
        asked_by: the key or argument that holds the name, for messages.

    Raises:
        UserError: for an unknown name (with the nearest one), and for a package whose data set
            cannot be used.
    """
    found = DATA_SETS.find(name, asked_by)
    _check_class(found, f"{asked_by} is {name!r}")
    if found.name != name:
        raise UserError(f"{asked_by} is {name!r}, but {found.__qualname__} is named {found.name!r}")
    return found()


def _check_class(found: object, where: str) -> None:
    from hvp.data.data_set import DataSet

    if not (isinstance(found, type) and issubclass(found, DataSet)):
        raise UserError(f"{where}: {found!r} is no subclass of hvp.data.DataSet")
    missing = [field for field in ("name", "advice") if not hasattr(found, field)]
    if missing:
        raise UserError(f"{where}: {found.__qualname__} lacks {' and '.join(missing)}")


def open_source(config: DataConfig, split: str, seq_len: int, seed: int) -> FrameSource:
    """Opens one split of `config.dataset`.

    Args:
        split: `train`, `val` or `test`; see `validation_videos`.
        seq_len: frames per window; videos with fewer are unusable, generated ones have as many.
        seed: of generated training data, and of what is held out for validation.

    Raises:
        UserError: for an unknown data set, missing data (saying where to get it) and unusable
            videos, unless `config.unusable_videos` is `skip`.
    """
    from hvp.data.frame_source import EveryNth
    from hvp.data.held_out import hold_out

    published = data_set(config.dataset)
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, received {split!r}")
    if config.masks:
        _check_masks(config, published)
    span = seq_len * config.frame_step
    share = config.validation_share
    if split == "test" or not share or validation_videos(config) == "val":
        source = _open_whole(config, split, span, seed)
    else:
        whole = _open_whole(config, "train", span, seed)
        recording = _made_of(config, published).recording
        source = hold_out(whole, split, share, seed, recording)
    return source if config.frame_step == 1 else EveryNth(source, config.frame_step)


def validation_videos(config: DataConfig) -> Literal["val", "train", "test"]:
    """The split that the videos of validation are from.

    `val` where the data have one beside `test`; else `train`, of which `data.validation_share` is
    then held out; `test` if that is 0.
    """
    from hvp.data.prepared_folder import is_prepared, read_info

    published = data_set(config.dataset)
    if config.datadir is not None and config.division is None:
        folder = Path(config.datadir)
        if is_prepared(folder):
            splits = read_info(folder).splits
            has_validation = bool(splits.get("val") and splits.get("test"))
        else:
            has_validation = folder.is_dir() and published.has_validation(folder)
        if has_validation:
            return "val"
    return "train" if config.validation_share else "test"


def _open_whole(config: DataConfig, split: str, span: int, seed: int) -> FrameSource:
    """A split as the data set, or `data.division`, has it; `val` may be that of another name."""
    from hvp.data.frame_source import Divided
    from hvp.data.prepared_folder import is_prepared

    opened = data_set(config.dataset)
    division = None if config.division is None else _division(config, opened)
    if is_prepared(config.datadir):
        opened = data_set(PREPARED)
    if division is None:
        return opened.open(config, split, span, seed)
    return Divided(
        {own: opened.open(config, own, span, seed) for own in ("train", "test")},
        lambda name, own: ("test" if split == "val" else split) in division(name, own),
    )


def _made_of(config: DataConfig, opened: DataSet) -> DataSet:
    """The data set itself, or for `prepared` the one that its folder was made of."""
    from hvp.data.prepared_folder import is_prepared, read_info

    if opened.name == PREPARED and config.datadir is not None and is_prepared(config.datadir):
        return data_set(read_info(Path(config.datadir)).dataset)
    return opened


def _division(config: DataConfig, opened: DataSet) -> Division:
    """The division that `data.division` names, also of what a prepared folder was made of."""
    opened = _made_of(config, opened)
    if config.division is None or config.division not in opened.divisions:
        known = ", ".join(opened.divisions)
        raise UserError(
            f"data.division is {config.division!r}; {opened.name} "
            + (f"has {known}" if known else "is divided in one way only: null")
        )
    return opened.divisions[config.division]


def _check_masks(config: DataConfig, opened: DataSet) -> None:
    from hvp.data.prepared_folder import is_prepared

    if not opened.masks:
        raise UserError(
            f"data.masks is true, but {config.dataset} has no masks; {', '.join(_with_masks())} has"
        )
    if config.crop != "none":
        raise UserError("data.masks is true, and masks are not cropped: data.crop must be none")
    if is_prepared(config.datadir):
        raise UserError(
            f"data.masks is true, but {config.datadir} was made by prepare, which keeps no masks; "
            "give the data set's own folder"
        )


def _with_masks() -> list[str]:
    names = []
    for name in DATA_SETS.names():
        try:
            if data_set(name).masks:
                names.append(name)
        except UserError:  # of a package that cannot be imported; not what was asked for
            continue
    return names
