"""What several commands share: flags, each declared once, and the experiment that they name.

Importing this imports neither TensorFlow nor the configuration.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hvp.commands.parser import choice, choices, place, real, whole
from hvp.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

    from hvp.config import ExperimentConfig, Override
    from hvp.models.base import VideoModel

Item = TypeVar("Item")
COUNT = whole(least=1)
MOST_SEED = 2**31 - 1  # seeds of stateless random operations are int32
SEED = whole(0, MOST_SEED)


def add_configuration(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Declares `--config`, `--datadir` and `--set`; `read_configuration` reads them."""
    parser.add_argument(
        "--config",
        required=default is None,
        default=default,
        help="a file, or the name of one that comes with hvp, such as kth"
        + (" (%(default)s)" if default else ""),
    )
    add_overrides(parser, of="the configuration")


def add_experiment(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Declares `--logdir`, `--preset` and those of `add_checkpoint`; see `open_experiment`."""
    which = parser.add_mutually_exclusive_group(required=True)
    if several:
        text = "one or more experiments on the same data, logs/NAME each"
        which.add_argument("--logdir", nargs="+", help=text)
    else:
        which.add_argument("--logdir", help="an experiment, logs/NAME or logs/NAME/model")
    add_preset(which, several)
    add_checkpoint(parser)


def add_preset(group: argparse._MutuallyExclusiveGroup, several: bool = False) -> None:
    """Declares `--preset`, beside `--logdir`."""
    group.add_argument(
        "--preset",
        nargs="+" if several else None,
        metavar="NAME",
        help="or a trained model: one that comes with hvp (hierarchical/moving-digits), a folder "
        "that hvp share wrote, or hf://user/repo",
    )


def logdirs_of(arguments: argparse.Namespace) -> list[Path]:
    """The folders that `--logdir` or `--preset` names."""
    if arguments.preset is not None:
        from hvp.experiment.presets import find_preset

        named = arguments.preset if isinstance(arguments.preset, list) else [arguments.preset]
        return [find_preset(name) for name in named]
    named = arguments.logdir if isinstance(arguments.logdir, list) else [arguments.logdir]
    return [Path(logdir) for logdir in named]


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Declares `--checkpoint`, `--datadir` and `--set`, of an experiment."""
    add_which(parser)
    add_overrides(parser, of="the experiment's configuration")


def add_which(parser: argparse.ArgumentParser, doing: str = "") -> None:
    """Declares `--checkpoint` alone; `doing` says what is done with it."""
    parser.add_argument(
        "--checkpoint",
        default="latest",
        metavar="WHICH",
        help=f"{doing}latest (default), best or the step of one that was kept",
    )


def add_overrides(parser: argparse.ArgumentParser, of: str) -> None:
    """Declares `--datadir` and `--set`, for `overrides_of`."""
    parser.add_argument("--datadir", help="where the data set is; overrides data.datadir")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="SECTION.KEY=VALUE",
        help=f"overrides any key of {of}; may be repeated",
    )


def add_new_runs(parser: argparse.ArgumentParser, default: str = "logs") -> None:
    """Declares `--logdir` of a command that makes experiments."""
    parser.add_argument(
        "--logdir", default=default, help="experiments go to LOGDIR/NAME (%(default)s)"
    )


def add_devices(parser: argparse.ArgumentParser) -> None:
    """Declares `--strategy` of a command that predicts or generates; `devices_of` reads it."""
    names = ("auto", "cpu", "gpu", "mirrored")
    text = "devices: auto (all GPUs, or the CPU), gpu (the first one), cpu, mirrored (all)"
    parser.add_argument("--strategy", type=choice(names), choices=names, default="auto", help=text)


def devices_of(arguments: argparse.Namespace) -> tf.distribute.Strategy:
    """The devices that `--strategy` names. Imports TensorFlow; call it before it computes."""
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.training.distribution import use_devices

    return use_devices(arguments.strategy)


def add_out(parser: argparse.ArgumentParser, what: str, required: bool = False) -> None:
    """Declares `--out`, where results go; `what` says what it is, and its default."""
    parser.add_argument("--out", required=required, type=place, help=what)


def add_seed(parser: argparse.ArgumentParser, of: str, default: int | None = None) -> None:
    """Declares `--seed`, of `of`."""
    usual = "the experiment's" if default is None else default
    parser.add_argument("--seed", type=SEED, default=default, metavar="N", help=f"{of} ({usual})")


def add_count(
    parser: argparse.ArgumentParser,
    flag: str,
    what: str,
    default: int | None = None,
    most: int | None = None,
    metavar: str = "N",
) -> None:
    """Declares a flag that takes a whole number from 1 on."""
    usual = "" if default is None else f" ({default})"
    parser.add_argument(
        flag, type=whole(1, most), default=default, metavar=metavar, help=what + usual
    )


def add_fps(parser: argparse.ArgumentParser) -> None:
    """Declares `--fps` of the videos that a command writes, within what GIF and MP4 can hold."""
    text = "frames per second of what is written (12)"
    parser.add_argument("--fps", type=real(0.1, 1000), default=12.0, help=text)


def add_formats(parser: argparse.ArgumentParser, valid: Sequence[str], default: str) -> None:
    """Declares `--format A,B`, a list of formats."""
    text = f"of {','.join(valid)} ({default})"
    parser.add_argument("--format", type=choices(valid), default=default, metavar="A,B", help=text)


def overrides_of(
    arguments: argparse.Namespace, flags: Mapping[str, str] | None = None
) -> list[str | Override]:
    """`--set`, then `--datadir`, then the other flags that were given, as `load_config` takes them.

    Args:
        arguments: of a command.
        flags: attribute of `arguments` -> `section.key`, of flags that override one too.
    """
    from hvp.config import Override

    result = list(arguments.overrides)
    for name, key in {"datadir": "data.datadir", **(flags or {})}.items():
        value = getattr(arguments, name)
        if value is not None:
            typed = ",".join(value) if isinstance(value, list) else value
            result.append(Override(key, value, f"--{name.replace('_', '-')} {typed}"))
    return result


def read_configuration(
    arguments: argparse.Namespace, flags: Mapping[str, str] | None = None
) -> ExperimentConfig:
    """The configuration that `add_configuration`'s flags name."""
    from hvp.config import load_config

    return load_config(arguments.config, overrides_of(arguments, flags))


@dataclasses.dataclass(frozen=True)
class Experiment:
    """An experiment that a command works on.

    Attributes:
        folder: `logs/NAME`, or a preset's.
        config: its configuration with the command's overrides.
        which: `latest`, `best` or a step.
        overrides: of the command.
    """

    folder: Path
    config: ExperimentConfig
    which: str
    overrides: tuple[str | Override, ...]

    @property
    def results(self) -> Path:
        """Where what is made of it goes: `folder`, unless that is not the user's own."""
        from hvp.experiment.presets import results_folder

        return results_folder(self.folder)

    def find_checkpoint(self) -> str:
        """The checkpoint's prefix, or a preset's file of weights. Imports TensorFlow."""
        from hvp.quiet import import_tensorflow

        import_tensorflow()
        from hvp.experiment.choosing import find_checkpoint
        from hvp.experiment.shared_folder import WEIGHTS_FILE, is_shared

        if is_shared(self.folder):
            return str(self.folder / WEIGHTS_FILE)
        return find_checkpoint(self.folder, self.which)

    def load(self, devices: tf.distribute.Strategy | None = None) -> tuple[VideoModel, int]:
        """The trained model, which predicts on `devices`, and its step. Imports TensorFlow."""
        from hvp.quiet import import_tensorflow

        import_tensorflow()
        from hvp.experiment.checkpoints import load_experiment

        if devices is None or devices.num_replicas_in_sync == 1:
            return load_experiment(self.folder, self.which, self.overrides)[1:]
        with devices.scope():
            _, model, step = load_experiment(self.folder, self.which, self.overrides)
        model.share_out(devices)
        return model, step


def open_experiment(
    arguments: argparse.Namespace,
    require: Callable[[Path, ExperimentConfig], None],
    flags: Mapping[str, str] | None = None,
    logdir: str | Path | None = None,
) -> Experiment:
    """The experiment that a command's flags name, before TensorFlow is imported.

    Args:
        arguments: with what `add_experiment` declares.
        require: `require_predictor` or `require_generator`.
        flags: as in `overrides_of`.
        logdir: one of several that `logdirs_of` gives.

    Raises:
        UserError: if there is none, for a wrong override, and for the wrong kind of family.
    """
    from hvp.config import load_config
    from hvp.experiment.folder import CONFIG_FILE, find_run_folder

    folder = find_run_folder(logdirs_of(arguments)[0] if logdir is None else logdir)
    overrides = tuple(overrides_of(arguments, flags))
    config = load_config(folder / CONFIG_FILE, overrides)
    require(folder, config)
    return Experiment(folder, config, arguments.checkpoint, overrides)


def seed_of(arguments: argparse.Namespace, config: ExperimentConfig) -> int:
    """`--seed`, or the experiment's.

    Raises:
        UserError: if the experiment's does not do for samples.
    """
    seed = config.seed if arguments.seed is None else arguments.seed
    if seed > MOST_SEED:
        raise UserError(f"seed is {seed}, more than samples take; choose one with --seed")
    return seed


def watched(items: Iterable[Item], total: int, unit: str) -> Iterator[Item]:
    """The same items, with a bar on the terminal that counts them."""
    with progress_bar(total, unit) as progress:
        for item in items:
            yield item
            progress.update(1)


def progress_bar(total: int, unit: str) -> Any:
    """A bar on the terminal, and nothing where errors go to a file."""
    import sys

    from tqdm import tqdm

    return tqdm(total=total, unit=unit, disable=not sys.stderr.isatty())
